// Service carries out what its machine decides: it owns the process (or the hold on an adopted
// one), the probe, the commands around a start and a stop, the log, and the state that outlives the
// agent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "cgroups/cgroup.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/poll.h"
#include "io/timer.h"
#include "process/control_group.h"
#include "process/reaper.h"
#include "supervise/command_sequence.h"
#include "supervise/exit_reports.h"
#include "supervise/probe.h"
#include "supervise/service_log.h"
#include "supervise/service_machine.h"
#include "supervise/service_spec.h"
#include "supervise/service_status.h"
#include "supervise/state_file.h"

namespace causeway::supervise {

// What all services share. Outlives them.
struct ServiceContext {
  io::Loop& loop;
  process::Reaper& reaper;
  fd_store::StoreClient& store;
  ExitReports& reports;
  Directories directories;
  LogLimits log_limits;
  std::vector<std::string> environment;  // "KEY=value": what every service gets
  std::function<double()> chance;        // random, in [0, 1)
  std::function<void()> changed;         // called after any change, outside of any service's code
};

class Service {
 public:
  Service(ServiceContext& context, LoadedService loaded);
  // A file that can't be used, without a process: only to be shown.
  Service(ServiceContext& context, const BrokenService& broken);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const ServiceSpec& spec() const { return loaded_.spec; }
  State state() const { return machine_.state; }
  const std::string& reason() const { return machine_.reason; }
  bool asleep() const { return machine_.asleep; }
  ServiceStatus status() const;
  ServiceLog* log() { return log_.get(); }

  // Once, at the agent's start: takes over the process of an earlier agent if it lives, else starts
  // the service if it is wanted.
  void begin();
  // What a person asked for. Kept for later agents.
  void want(EventKind kind, std::string why);
  // What nobody asked for, and later agents don't hear of.
  void sleep(std::string why) { event({EventKind::sleep, std::move(why)}); }
  void wake(std::string why) { event({EventKind::wake, std::move(why)}); }
  void set_needs_ready(bool ready);
  void exit_reports_arrived();

  // The service file was read again. A running process goes on; status says that a restart is
  // needed.
  void replace(LoadedService loaded);
  void set_broken(std::string error);  // its file, or its needs
  void remove();                       // its file is gone: stop; gone() then
  bool gone() const { return removed_ && !has_process(machine_.state); }
  bool broken() const { return !broken_.empty(); }

  // The ordered stop of everything: before_shutdown, then stop.
  void shut_down();
  // Neither runs nor is about to.
  bool settled() const;

 private:
  struct Process;

  void event(Event event);
  void perform(const Action& action);
  void persist();        // now
  void persist_later();  // after what waits for this change was started
  void note_change();

  void open_log();
  void prepare();
  void spawn();
  void read_report();
  void on_exit(const process::Exit& exit);
  void adopt(process::RecordedPid recorded, UniqueFd pidfd);
  void adopted_ended(bool wait_for_report);
  void join_groups();
  void start_probe();
  void serve();
  void watch_socket();
  void send(int signal_number);
  std::vector<std::string> environment() const;
  std::string path(std::string_view suffix) const;  // RUN/state/<service><suffix>

  ServiceContext& context_;
  LoadedService loaded_;
  std::optional<LoadedService> next_;  // takes the place of loaded_ when no process runs
  std::string broken_;                 // why the file can't be used; empty when it can
  bool removed_ = false;
  bool shutting_down_ = false;
  ServiceState machine_;
  SavedState saved_;
  std::int64_t since_ms_ = 0;  // CLOCK_BOOTTIME at the last change of state
  std::deque<Event> events_;   // those that come while one is being carried out
  bool busy_ = false;
  bool change_told_ = false;
  bool unsaved_ = false;
  std::vector<std::string> start_notes_;  // of the present process's set-up
  std::string side_failure_;              // of after_ready and before_shutdown
  cgroups::ServiceGroups groups_;
  Lifetime lifetime_;

  // Stop first what can call back.
  std::unique_ptr<ServiceLog> log_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<process::ControlGroupMove> group_move_;
  io::Timer timer_;  // the machine's
  io::Timer socket_grace_;
  io::Timer report_grace_;
  std::unique_ptr<io::PathWatch> socket_watch_;
  std::unique_ptr<Probe> probe_;
  std::unique_ptr<CommandSequence> prepare_;
  std::unique_ptr<CommandSequence> after_ready_;
  std::unique_ptr<CommandSequence> before_shutdown_;
};

}  // namespace causeway::supervise
