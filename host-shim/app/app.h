// The shim as it runs: the core, the helpers in distros, the pipe for the other commands, and the
// window that hears from Windows. One an instance.
#pragma once

#include <memory>
#include <string>

#include "app/control_pipe.h"
#include "app/enabled_distros.h"
#include "app/instance.h"
#include "app/log_file.h"
#include "app/main_window.h"
#include "app/paths.h"
#include "app/settings_reader.h"
#include "base/result.h"
#include "shim.h"

namespace causeway::shim::app {

class App {
 public:
  // `allow_elevated`: the user works elevated only, and has said so.
  App(Paths paths, bool foreground, bool allow_elevated);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  Status start(const InstanceNames& names);
  // Until somebody stops it.
  void run();
  void quit();  // from any thread

 private:
  void load_enabled();
  Status save_enabled(const std::vector<std::string>& names);
  std::string answer(const std::string& request);
  std::string status_json();
  std::string change_distro(const std::string& name, bool enable);
  void ask_stopped(const std::string& distro, std::function<void(bool)> told);
  void tell_failed(const std::string& distro, const std::string& reason);
  void log(log::Level level, const std::string& line) { log_->write(level, line); }

  const Paths paths_;
  const bool foreground_;
  const bool allow_elevated_;
  Settings settings_;
  std::string settings_error_;
  std::string distros_error_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<MainWindow> window_;
  std::unique_ptr<EnabledDistros> distros_;
  std::unique_ptr<Shim> shim_;
  std::unique_ptr<ControlPipe> control_;
};

}  // namespace causeway::shim::app
