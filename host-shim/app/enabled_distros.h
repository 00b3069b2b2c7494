// The helpers in the distros that the user has enabled: `wsl.exe -d NAME -u root --exec /bin/sh`
// with agent/distro/bootstrap.sh on its standard input. Each keeps its distro up, in a job that
// ends it with the shim.
//
//   off      its distro isn't enabled, or the engine isn't there
//   running  until its process ends; then one of
//     waiting  for the back-off, and then running again
//     undone   it ended with 0: `causeway distro disable` took its work back
//     stopped  its distro has stopped
//
// A distro that was stopped by its user is not started again, until somebody uses it, enables it,
// or the agent asks for it because a container needs its files. All calls and callbacks are on the
// main window's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/distro_registry.h"
#include "app/main_window.h"
#include "base/lifetime.h"
#include "base/result.h"
#include "windows/child_process.h"

namespace causeway::shim::app {

class EnabledDistros {
 public:
  struct Options {
    std::string wsl = "wsl.exe";
    std::string log_folder;
    std::string script;  // what runs in the distro
  };
  struct Events {
    std::function<void(std::string_view line)> log;
    // Asks the agent whether the distro has stopped; `told` is called once, on this thread.
    std::function<void(const std::string& distro, std::function<void(bool stopped)> told)>
        ask_stopped;
    // Tells the agent why the distro's helper could not be started: people look there, too.
    std::function<void(const std::string& distro, const std::string& reason)> tell_failed;
  };
  struct Shown {
    std::string name;
    bool enabled = false;
    std::string state;   // off, running, waiting, undone, stopped, missing
    std::string reason;  // why it doesn't run
    std::uint32_t pid = 0;
  };

  EnabledDistros(MainWindow& window, Options options, Events events);
  ~EnabledDistros();
  EnabledDistros(const EnabledDistros&) = delete;
  EnabledDistros& operator=(const EnabledDistros&) = delete;

  // Which are enabled, by their names in the registry.
  void set_enabled(const std::vector<std::string>& names);
  std::vector<std::string> enabled() const;
  // The link is up, or down. Up: those that are off are started.
  void engine_there(bool there);
  // Somebody needs it: started whatever its state, unless it isn't enabled. Why not, or nothing.
  std::string want(const std::string& name);
  // Ends it, after the agent has been told to disable the distro and its helper has undone its
  // work.
  void forget(const std::string& name);

  // Of all WSL distros of this user, and of those that are enabled and aren't there any more.
  std::vector<Shown> shown() const;

 private:
  struct Child;
  struct Helper;

  Helper* find(const std::string& name);
  void start(Helper& helper);
  Status launch(Helper& helper);
  // A child of ours; `over` is called on this thread when it has ended (true), or when `limit_ms`
  // have passed.
  Result<std::unique_ptr<Child>> start_watched(const std::vector<std::string>& argv,
                                               const ChildStdio& stdio, std::uint32_t limit_ms,
                                               std::function<void(bool)> over);
  void ended(const std::string& name, std::uint64_t run);
  void back_off(Helper& helper, std::string reason);
  void watch_running();
  void look_later();
  void look();
  void looked(bool done);

  MainWindow& window_;
  const Options options_;
  const Events events_;
  bool engine_there_ = false;
  bool watching_ = false;           // a look is due, or under way
  std::unique_ptr<Child> looking_;  // `wsl.exe --list`, while it runs
  std::uint64_t next_run_ = 1;
  std::map<std::string, std::unique_ptr<Helper>> helpers_;
  Lifetime lifetime_;  // the last: ends first
};

}  // namespace causeway::shim::app
