#include "supervise/supervisor.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace causeway::supervise {
namespace {

// What a service gets of the agent's own environment: all but what speaks to the agent itself.
std::vector<std::string> service_environment() {
  std::vector<std::string> out;
  bool has_path = false;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (variable.starts_with("CAUSEWAY_") || variable.starts_with("NOTIFY_SOCKET=") ||
        variable.starts_with("LISTEN_"))
      continue;
    has_path = has_path || variable.starts_with("PATH=");
    out.emplace_back(variable);
  }
  if (!has_path)
    out.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return out;
}

}  // namespace

Supervisor::Supervisor(io::Loop& loop, fd_store::StoreClient& store, Options options)
    : loop_(loop),
      store_(store),
      options_(std::move(options)),
      reaper_(loop),
      reports_(loop, store.take("exits"),
               [this] {
                 for (auto& [name, service] : services_) service->exit_reports_arrived();
               }),
      context_{loop,
               reaper_,
               store_,
               reports_,
               options_.directories,
               options_.log_limits,
               service_environment(),
               [this] { return std::uniform_real_distribution<double>(0, 1)(random_); },
               [this] { settle(); }} {}

Supervisor::~Supervisor() = default;

Status Supervisor::start() {
  for (const char* directory : {"/state", "/log"})
    if (auto made = file::make_directories(options_.directories.run + directory); !made)
      return made;
  auto files = load_services(options_.directories.etc + "/services.d", options_.directories);
  if (!files) return std::move(files).error();
  reports_.read_now();
  for (auto& loaded : files->services) {
    const std::string name = loaded.spec.name;
    services_[name] = std::make_unique<Service>(context_, std::move(loaded));
  }
  for (const auto& broken : files->broken) {
    log::error("service.file", {{"error", broken.error}});
    services_[broken.name] = std::make_unique<Service>(context_, broken);
  }
  apply_needs();
  for (auto& [name, service] : services_) service->begin();
  adopt_leftovers();
  settle();
  return Ok{};
}

// Processes of an earlier agent whose file is now missing or broken: they go on under the file that
// they were started with, or are stopped.
void Supervisor::adopt_leftovers() {
  const std::string directory = options_.directories.run + "/state";
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return;
  std::set<std::string> names;
  constexpr std::string_view kSuffix = ".pid";
  while (const dirent* entry = ::readdir(dir.get()))
    if (const std::string_view name = entry->d_name; name.ends_with(kSuffix))
      names.emplace(name.substr(0, name.size() - kSuffix.size()));
  for (const auto& name : names)
    if (const auto* known = find(name); known == nullptr || known->broken()) adopt_leftover(name);
}

void Supervisor::adopt_leftover(const std::string& name) {
  const std::string base = options_.directories.run + "/state/" + name;
  const auto content = file::read(base + ".pid", 64);
  const auto recorded = content ? process::parse_pid_file(*content) : std::nullopt;
  if (!recorded || !process::open_pidfd(recorded->pid, recorded->start_time)) {
    ::unlink((base + ".pid").c_str());
    return;
  }
  const auto source = file::read(base + ".spec.json");
  auto spec = source ? parse_service(*source, name, options_.directories)
                     : Result<ServiceSpec>(source.error());
  if (!spec) {
    log::error("service.orphan",
               {{"service", name}, {"pid", recorded->pid}, {"error", spec.error().message}});
    return;
  }
  const auto* known = find(name);
  const std::string error = known == nullptr ? "" : known->reason();
  auto& service = services_[name] =
      std::make_unique<Service>(context_, LoadedService{std::move(*spec), *source});
  service->begin();
  if (error.empty()) {
    service->remove();
  } else {
    service->set_broken(error);
  }
}

Status Supervisor::reload() {
  auto files = load_services(options_.directories.etc + "/services.d", options_.directories);
  if (!files) return std::move(files).error();
  if (shutting_down_) return Ok{};
  std::set<std::string, std::less<>> present;
  for (auto& loaded : files->services) {
    const std::string name = loaded.spec.name;
    present.insert(name);
    if (auto* service = find(name)) {
      service->replace(std::move(loaded));
    } else {
      auto& made = services_[name] = std::make_unique<Service>(context_, std::move(loaded));
      made->begin();
    }
  }
  for (const auto& broken : files->broken) {
    log::error("service.file", {{"error", broken.error}});
    present.insert(broken.name);
    if (auto* service = find(broken.name)) {
      service->set_broken(broken.error);
    } else {
      services_[broken.name] = std::make_unique<Service>(context_, broken);
    }
  }
  for (auto& [name, service] : services_)
    if (!present.contains(name)) service->remove();
  apply_needs();
  log::info("supervisor.reloaded", {{"services", services_.size()}});
  settle();
  return Ok{};
}

void Supervisor::set_log_limits(LogLimits limits) {
  context_.log_limits = limits;
  for (auto& [name, service] : services_)
    if (auto* log = service->log(); log != nullptr) log->set_limits(limits);
}

void Supervisor::apply_needs() {
  std::vector<const ServiceSpec*> specs;
  for (const auto& [name, service] : services_) specs.push_back(&service->spec());
  for (const auto& [name, error] : check_needs(specs))
    if (auto* service = find(name); !service->broken()) service->set_broken(error);
}

// After every change: the needs, then the ordered stop, then whoever listens.
void Supervisor::settle() {
  std::erase_if(services_, [&](const auto& entry) {
    if (!entry.second->gone()) return false;
    log::info("service.removed", {{"service", entry.first}});
    if (store_.has_init()) (void)store_.drop("log." + entry.first);
    return true;
  });
  for (auto& [name, service] : services_) {
    const auto& needs = service->spec().needs;
    service->set_needs_ready(std::ranges::all_of(needs, [&](const auto& need) {
      const auto* needed = find(need);
      return needed != nullptr && needed->state() == State::ready;
    }));
  }
  if (shutting_down_) settle_shutdown();
  if (on_change_) on_change_();
}

void Supervisor::settle_shutdown() {
  bool all_settled = true;
  for (const auto& entry : services_) {
    const auto& name = entry.first;
    const auto& service = entry.second;
    all_settled = all_settled && service->settled();
    const bool needed = std::ranges::any_of(services_, [&](const auto& other) {
      return !other.second->settled() && std::ranges::count(other.second->spec().needs, name) > 0 &&
             other.first != name;
    });
    if (!needed && !service->settled()) service->shut_down();
  }
  if (!all_settled) return;
  if (const auto done = std::exchange(shut_down_, nullptr)) loop_.defer(done);
}

void Supervisor::shutdown(std::function<void()> done) {
  if (shutting_down_) return;
  shutting_down_ = true;
  shut_down_ = std::move(done);
  settle();
}

Service* Supervisor::find(std::string_view name) const {
  const auto at = services_.find(name);
  return at == services_.end() ? nullptr : at->second.get();
}

Result<Service*> Supervisor::usable(std::string_view name) const {
  auto* service = find(name);
  if (service == nullptr) return Error{"no service \"" + text::printable(name) + "\"", ENOENT};
  if (shutting_down_) return Error{"everything is being stopped", EBUSY};
  return service;
}

Status Supervisor::start_service(std::string_view name) {
  auto service = usable(name);
  if (!service) return std::move(service).error();
  if ((*service)->state() == State::invalid) return Error{(*service)->reason(), EINVAL};
  start_with_needs(**service, 0);
  return Ok{};
}

void Supervisor::start_with_needs(Service& service, unsigned depth) {
  if (depth > services_.size()) return;  // a circle: check_needs() has told
  for (const auto& need : service.spec().needs) {
    auto* needed = find(need);
    if (needed == nullptr) continue;
    if (needed->settled() && !needed->asleep()) {
      start_with_needs(*needed, depth + 1);
    } else {
      wake_with_needs(*needed, depth + 1);
    }
  }
  service.want(EventKind::start, "started by request");
}

Status Supervisor::stop_service(std::string_view name, StopReason reason) {
  auto service = usable(name);
  if (!service) return std::move(service).error();
  switch (reason) {
    case StopReason::person:
      (*service)->want(EventKind::stop, "stopped by request");
      break;
    case StopReason::sleep:
      (*service)->sleep("asleep: nobody needs it now");
      break;
  }
  return Ok{};
}

Status Supervisor::wake_service(std::string_view name) {
  auto service = usable(name);
  if (!service) return std::move(service).error();
  wake_with_needs(**service, 0);
  return Ok{};
}

void Supervisor::wake_with_needs(Service& service, unsigned depth) {
  if (depth > services_.size()) return;                // a circle: check_needs() has told
  if (service.settled() && !service.asleep()) return;  // it won't be woken
  for (const auto& need : service.spec().needs)
    if (auto* needed = find(need); needed != nullptr) wake_with_needs(*needed, depth + 1);
  service.wake("somebody needs it");
}

Status Supervisor::restart_service(std::string_view name) {
  auto service = usable(name);
  if (!service) return std::move(service).error();
  if ((*service)->state() == State::invalid) return Error{(*service)->reason(), EINVAL};
  (*service)->want(EventKind::restart, "restarted by request");
  return Ok{};
}

Result<std::vector<std::string>> Supervisor::logs(std::string_view name, std::size_t tail) const {
  auto* service = find(name);
  if (service == nullptr) return Error{"no service \"" + text::printable(name) + "\"", ENOENT};
  return service->log() == nullptr ? std::vector<std::string>() : service->log()->last(tail);
}

Result<std::shared_ptr<LogSubscription>> Supervisor::follow(
    std::string_view name, std::function<void(std::string_view line)> line) {
  auto* service = find(name);
  if (service == nullptr) return Error{"no service \"" + text::printable(name) + "\"", ENOENT};
  if (service->log() == nullptr)
    return Error{"service \"" + std::string(name) + "\" has no log: " + service->reason(), EINVAL};
  return service->log()->follow(std::move(line));
}

std::vector<std::string> Supervisor::names() const {
  std::vector<std::string> out;
  for (const auto& [name, service] : services_) out.push_back(name);
  return out;
}

std::vector<ServiceSummary> Supervisor::states() const {
  std::vector<ServiceSummary> out;
  for (const auto& [name, service] : services_)
    out.push_back(
        {name, service->state(), service->reason(), service->asleep(), service->spec().needs});
  return out;
}

std::optional<ServiceStatus> Supervisor::status(std::string_view name) const {
  const auto* service = find(name);
  if (service == nullptr) return std::nullopt;
  auto out = service->status();
  if (out.state == State::waiting) {
    for (const auto& need : out.needs) {
      const auto* needed = find(need);
      if (needed != nullptr && needed->state() == State::ready) continue;
      out.reason += (out.reason.empty() ? "waits for " : "; waits for ") + need + " (" +
                    (needed == nullptr ? "missing" : state_name(needed->state())) + ")";
    }
  }
  return out;
}

std::vector<ServiceStatus> Supervisor::snapshot() const {
  std::vector<ServiceStatus> out;
  std::set<std::string, std::less<>> placed;
  // Those whose needs are all placed, by name, until none is left; a circle comes last.
  for (bool progress = true; progress;) {
    progress = false;
    for (const auto& [name, service] : services_) {
      if (placed.contains(name)) continue;
      const auto& needs = service->spec().needs;
      if (!std::ranges::all_of(needs, [&](const auto& need) {
            return placed.contains(need) || find(need) == nullptr;
          }))
        continue;
      placed.insert(name);
      out.push_back(*status(name));
      progress = true;
    }
  }
  for (const auto& [name, service] : services_)
    if (!placed.contains(name)) out.push_back(*status(name));
  return out;
}

}  // namespace causeway::supervise
