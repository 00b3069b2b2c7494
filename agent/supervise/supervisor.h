// Supervisor keeps the services of ETC/services.d: it starts each when those it needs are ready
// (all at once where nothing says otherwise), takes over what an earlier agent started, and stops
// them in the reverse order. What one service does is in service.h, when and why in
// service_machine.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "io/timer.h"
#include "process/reaper.h"
#include "supervise/exit_reports.h"
#include "supervise/service.h"
#include "supervise/service_spec.h"
#include "supervise/service_status.h"

namespace causeway::supervise {

// Why a service is stopped.
enum class StopReason {
  person,  // somebody asked for it: later agents keep it stopped, until a person starts it
  sleep,   // nobody needs it now: wake_service() starts it, and so does the next agent or boot
};

class Supervisor {
 public:
  struct Options {
    Directories directories;
    LogLimits log_limits;
  };

  // Takes the slots `exits` and `log.*` out of `store`, and puts the FIFOs that it makes. `store`
  // and `loop` outlive it.
  Supervisor(io::Loop& loop, fd_store::StoreClient& store, Options options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Reads the service files, adopts and starts. Once. An error means that nothing can be supervised
  // at all (no services.d, RUN not writable).
  Status start();
  // The service files again: new ones start, removed ones stop, changed ones say that a restart is
  // needed. An error leaves all as it is.
  Status reload();

  // Of every service's log file, from the next line on.
  void set_log_limits(LogLimits limits);

  std::vector<ServiceStatus> snapshot() const;  // in the order of start
  // `name`'s alone; nothing for an unknown one.
  std::optional<ServiceStatus> status(std::string_view name) const;

  // Requests. They return when the request is accepted; the state follows. Error codes: ENOENT
  // unknown service, EINVAL its file can't be used, EBUSY everything is being stopped.
  Status start_service(std::string_view name);  // and those that it needs
  Status stop_service(std::string_view name, StopReason reason = StopReason::person);
  Status restart_service(std::string_view name);
  // Somebody needs it: starts it, if it sleeps, and those of its needs that do. What a person
  // stopped stays stopped, and nothing is written down as a person's wish.
  Status wake_service(std::string_view name);

  // Called after every change of any service, in a turn of its own.
  void on_change(std::function<void()> callback) { on_change_ = std::move(callback); }

  // The last lines of a service's log. Error code ENOENT: unknown service.
  Result<std::vector<std::string>> logs(std::string_view name, std::size_t tail) const;
  // New lines from now on, while the subscription lives. `line` must not destroy the Supervisor.
  Result<std::shared_ptr<LogSubscription>> follow(std::string_view name,
                                                  std::function<void(std::string_view line)> line);
  // All of them, by name.
  std::vector<std::string> names() const;
  std::vector<ServiceSummary> states() const;

  // Stops all in the reverse order; `done` is called when none is left. Calling again does nothing.
  void shutdown(std::function<void()> done);

 private:
  Service* find(std::string_view name) const;
  Result<Service*> usable(std::string_view name) const;
  void adopt_leftovers();
  void adopt_leftover(const std::string& name);
  void apply_needs();
  void settle();
  void settle_shutdown();
  void start_with_needs(Service& service, unsigned depth);
  void wake_with_needs(Service& service, unsigned depth);

  io::Loop& loop_;
  fd_store::StoreClient& store_;
  Options options_;
  process::Reaper reaper_;
  ExitReports reports_;
  std::minstd_rand random_{std::random_device{}()};
  ServiceContext context_;
  std::function<void()> on_change_;
  std::function<void()> shut_down_;
  bool shutting_down_ = false;
  std::map<std::string, std::unique_ptr<Service>, std::less<>> services_;
};

}  // namespace causeway::supervise
