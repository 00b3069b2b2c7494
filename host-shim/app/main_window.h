// The invisible window whose thread is the program's own: Windows tells it of sleep, log-off and
// shutdown, and other threads have things done there.
#pragma once

#include <windows.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/result.h"
#include "windows/unique_handle.h"

namespace causeway::shim::app {

class MainWindow {
 public:
  struct Events {
    std::function<void()> resumed;         // from sleep, also from Modern Standby
    std::function<void()> session_ending;  // log-off or shutdown: little time is left
  };
  static Result<std::unique_ptr<MainWindow>> create(Events events);
  ~MainWindow();
  MainWindow(const MainWindow&) = delete;
  MainWindow& operator=(const MainWindow&) = delete;

  // From any thread: done on the window's, soon.
  void post(std::function<void()> action);
  // From another thread: returns when it was done there; false when run() has ended, and it never
  // will be.
  bool call(std::function<void()> action);
  // On the window's thread, once, after so long.
  void after(std::uint32_t delay_ms, std::function<void()> action);

  // Until quit().
  void run();
  void quit();  // from any thread

 private:
  explicit MainWindow(Events events) : events_(std::move(events)) {}
  static LRESULT CALLBACK handle(HWND window, UINT message, WPARAM word, LPARAM value);
  bool on_message(UINT message, WPARAM word, LPARAM value);

  Events events_;
  HWND window_ = nullptr;
  UniqueHandle over_;  // set when run() has ended
  HPOWERNOTIFY power_ = nullptr;
  UINT_PTR next_timer_ = 1;
  std::map<UINT_PTR, std::function<void()>> timers_;
};

}  // namespace causeway::shim::app
