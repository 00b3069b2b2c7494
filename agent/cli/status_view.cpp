#include "cli/status_view.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "cli/distro_view.h"
#include "cli/table.h"

namespace causeway::cli {
namespace {

using control_api::EngineState;
using control_api::ProductStatus;
using control_api::ServiceState;
using control_api::ServiceStatus;

// Of a failed service: enough to see the cause, little enough for one screen.
constexpr std::size_t kShownLines = 8;

Colour colour_of(ServiceState state) {
  switch (state) {
    case ServiceState::ready:
      return Colour::green;
    case ServiceState::failed:
    case ServiceState::invalid:
      return Colour::red;
    case ServiceState::waiting:
    case ServiceState::starting:
    case ServiceState::stopping:
    case ServiceState::killing:
    case ServiceState::backing_off:
      return Colour::yellow;
    case ServiceState::off:
      return Colour::dim;
  }
  return Colour::none;
}

Colour colour_of(EngineState state) {
  switch (state) {
    case EngineState::ready:
      return Colour::green;
    case EngineState::starting:
      return Colour::yellow;
    case EngineState::down:
      return Colour::red;
    case EngineState::absent:
      return Colour::dim;
  }
  return Colour::none;
}

std::string engine_line(const ProductStatus& status, const Terminal& terminal) {
  const auto& engine = status.engine;
  std::string line = "engine ";
  line += engine.state == EngineState::absent ? "not configured" : name_of(engine.state);
  if (engine.state != EngineState::absent)
    line += (engine.state == EngineState::ready ? ", for " : ", since ") +
            text::human_seconds(engine.age_s);
  const bool silent = engine.silent_s > 0;
  if (silent) line += ", but has not answered for " + text::human_seconds(engine.silent_s);
  std::string out = terminal.paint(line, silent ? Colour::yellow : colour_of(engine.state)) + '\n';
  if (!engine.reason.empty()) out += wrapped(text::printable(engine.reason), 2, terminal.columns);
  const auto& agent = status.agent;
  std::string about = "causeway " + text::printable(agent.version) + ", agent pid " +
                      std::to_string(agent.pid) + ", up " + text::human_seconds(agent.age_s) +
                      ", " + text::human_bytes(agent.memory_bytes);
  if (agent.starts > 1)
    about += ", restarted by init " + std::to_string(agent.starts - 1) +
             (agent.starts == 2 ? " time" : " times");
  return out + wrapped(about, 0, terminal.columns);
}

std::string service_table(const ProductStatus& status, const Terminal& terminal) {
  Table table({{"SERVICE", false, 8},
               {"STATE"},
               {"SINCE"},
               {"PID", true},
               {"RESTARTS", true},
               {"MEMORY", true}});
  for (const auto& service : status.services) {
    table.add({{text::printable(service.name)},
               {std::string(name_of(service.state)), colour_of(service.state)},
               {text::human_seconds(service.age_s)},
               {service.pid ? std::to_string(*service.pid) : "-"},
               {std::to_string(service.restarts)},
               {service.memory_bytes ? text::human_bytes(*service.memory_bytes) : "-"}});
    if (!service.reason.empty())
      table.add_below(text::printable(service.reason),
                      service.silent_s > 0 ? Colour::yellow : colour_of(service.state));
  }
  return table.text(terminal);
}

std::string last_lines(const ServiceStatus& service, const Terminal& terminal) {
  const std::string name = text::printable(service.name);
  std::string out = "\n" + wrapped("last lines of " + name + " (causeway logs " + name + "):", 0,
                                   terminal.columns);
  const auto& lines = service.last_lines;
  const std::size_t from = lines.size() > kShownLines ? lines.size() - kShownLines : 0;
  for (std::size_t i = from; i < lines.size(); ++i)
    out += terminal.paint(wrapped(text::printable(lines[i]), 2, terminal.columns), Colour::dim);
  return out;
}

// Whether the service may reach another state without anybody's doing. `depth` bounds a circle of
// needs.
bool may_move(const ProductStatus& status, const ServiceStatus& service, std::size_t depth) {
  switch (service.state) {
    case ServiceState::starting:
    case ServiceState::stopping:
    case ServiceState::killing:
    case ServiceState::backing_off:
      return true;
    case ServiceState::off:
    case ServiceState::failed:
    case ServiceState::invalid:
    case ServiceState::ready:
      return false;
    case ServiceState::waiting:
      // For needs that are ready or may become so, or else for its own preparation.
      return std::all_of(service.needs.begin(), service.needs.end(), [&](const auto& name) {
        const auto* need = find(status.services, name);
        return need != nullptr && (need->state == ServiceState::ready ||
                                   (depth > 0 && may_move(status, *need, depth - 1)));
      });
  }
  return false;
}

std::string socket_table(const ProductStatus& status, const Terminal& terminal) {
  Table table({{"SOCKET", false, 20},
               {"FOR", false, 8},
               {"OPEN", true},
               {"STREAMS", true},
               {"STALLED", true}});
  for (const auto& socket : status.sockets)
    table.add({{text::printable(socket.path)},
               {text::printable(socket.purpose)},
               {std::to_string(socket.connections) + (socket.full ? " (full)" : "")},
               {std::to_string(socket.streams)},
               {std::to_string(socket.stalled)}});
  return table.text(terminal);
}

Colour colour_of(control_api::ListenerState state) {
  switch (state) {
    case control_api::ListenerState::listening:
      return Colour::green;
    case control_api::ListenerState::failed:
      return Colour::red;
    case control_api::ListenerState::off:
      return Colour::dim;
  }
  return Colour::dim;
}

std::string link_table(const control_api::LinkStatus& link, const Terminal& terminal) {
  Table table({{"LINK", false, 4}, {"ADDRESS", false, 12}, {"STATE"}});
  for (const auto& listener : link.listeners) {
    table.add({{text::printable(listener.transport)},
               {text::printable(listener.address)},
               {std::string(name_of(listener.state)), colour_of(listener.state)}});
    if (!listener.reason.empty())
      table.add_below(text::printable(listener.reason), colour_of(listener.state));
  }
  std::string out = table.text(terminal);
  std::string line = "Windows is not connected";
  if (link.connected) {
    line = "Windows is connected over " + text::printable(link.transport) + ", for " +
           text::human_seconds(link.age_s) + ", streams: " + std::to_string(link.streams);
  }
  out += terminal.paint(wrapped(line, 0, terminal.columns),
                        link.connected ? Colour::green : Colour::dim);
  if (!link.refusal.empty()) {
    const std::string refusal = "last refused, " + text::human_seconds(link.refusal_age_s) +
                                " ago: " + text::printable(link.refusal);
    out += terminal.paint(wrapped(refusal, 0, terminal.columns), Colour::yellow);
  }
  return out;
}

}  // namespace

std::string status_screen(const ProductStatus& status, const Terminal& terminal) {
  std::string out = engine_line(status, terminal);
  out += '\n';
  if (status.services.empty()) {
    out += "no services are configured\n";
  } else {
    out += service_table(status, terminal);
  }
  for (const auto& service : status.services)
    if (!service.last_lines.empty()) out += last_lines(service, terminal);
  if (!status.sockets.empty()) out += '\n' + socket_table(status, terminal);
  if (!status.distros.empty()) out += '\n' + distro_table(status.distros, false, terminal);
  if (!status.link.listeners.empty()) out += '\n' + link_table(status.link, terminal);
  if (!status.notes.empty()) out += '\n' + terminal.paint("NOTES", Colour::bold) + '\n';
  for (const auto& note : status.notes) {
    std::string paragraph = wrapped(text::printable(note.text), 2, terminal.columns);
    paragraph[0] = note.warning ? '!' : '-';
    out += note.warning ? terminal.paint(paragraph, Colour::yellow) : paragraph;
  }
  return out;
}

std::string progress_line(const ProductStatus& status) {
  std::string out;
  for (const auto& service : status.services) {
    if (service.state == ServiceState::ready || service.state == ServiceState::off) continue;
    if (!out.empty()) out += ", ";
    out += text::printable(service.name) + " " + std::string(name_of(service.state));
  }
  return out;
}

bool is_ready(const ProductStatus& status) {
  if (status.engine.state != EngineState::absent) return status.engine.state == EngineState::ready;
  return std::all_of(status.services.begin(), status.services.end(), [](const auto& service) {
    return service.state == ServiceState::ready || service.state == ServiceState::off;
  });
}

bool is_hopeless(const ProductStatus& status) {
  if (is_ready(status) || status.engine.state == EngineState::starting) return false;
  return std::none_of(status.services.begin(), status.services.end(), [&](const auto& service) {
    return may_move(status, service, status.services.size());
  });
}

}  // namespace causeway::cli
