#include "app/main_window.h"

#include <utility>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr UINT kPosted = WM_APP + 1;
constexpr UINT kQuit = WM_APP + 2;
constexpr const wchar_t* kClass = L"CausewayShim";

}  // namespace

Result<std::unique_ptr<MainWindow>> MainWindow::create(Events events) {
  WNDCLASSW window_class{};
  window_class.lpfnWndProc = &MainWindow::handle;
  window_class.hInstance = GetModuleHandleW(nullptr);
  window_class.lpszClassName = kClass;
  RegisterClassW(&window_class);
  std::unique_ptr<MainWindow> out(new MainWindow(std::move(events)));
  out->over_ = UniqueHandle(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  // Not a message-only window: those hear no broadcasts (Microsoft, "Window Features").
  out->window_ = CreateWindowExW(WS_EX_TOOLWINDOW, kClass, L"Causeway", WS_POPUP, 0, 0, 0, 0,
                                 nullptr, nullptr, window_class.hInstance, nullptr);
  if (out->window_ == nullptr) return windows_error("make a window", GetLastError());
  SetWindowLongPtrW(out->window_, GWLP_USERDATA, reinterpret_cast<LONG_PTR>(out.get()));
  // Modern Standby sends no WM_POWERBROADCAST without it.
  out->power_ = RegisterSuspendResumeNotification(out->window_, DEVICE_NOTIFY_WINDOW_HANDLE);
  return out;
}

MainWindow::~MainWindow() {
  if (power_ != nullptr) UnregisterSuspendResumeNotification(power_);
  if (window_ == nullptr) return;
  SetWindowLongPtrW(window_, GWLP_USERDATA, 0);
  // What was posted and not done is freed.
  MSG message{};
  while (PeekMessageW(&message, window_, kPosted, kPosted, PM_REMOVE) != 0)
    delete reinterpret_cast<std::function<void()>*>(message.lParam);
  DestroyWindow(window_);
}

void MainWindow::post(std::function<void()> action) {
  auto copy = std::make_unique<std::function<void()>>(std::move(action));
  if (PostMessageW(window_, kPosted, 0, reinterpret_cast<LPARAM>(copy.get())) != 0)
    (void)copy.release();
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the message owns it

bool MainWindow::call(std::function<void()> action) {
  // Not SendMessage: it would wait for ever for a thread that waits for the caller to end.
  const auto done = std::make_shared<UniqueHandle>(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  post([done, action = std::move(action)] {
    action();
    SetEvent(done->get());
  });
  const HANDLE waits[2] = {done->get(), over_.get()};
  return WaitForMultipleObjects(2, waits, FALSE, INFINITE) == WAIT_OBJECT_0;
}

void MainWindow::after(std::uint32_t delay_ms, std::function<void()> action) {
  const auto id = next_timer_++;
  timers_[id] = std::move(action);
  SetTimer(window_, id, delay_ms, nullptr);
}

void MainWindow::run() {
  MSG message{};
  while (GetMessageW(&message, nullptr, 0, 0) > 0) DispatchMessageW(&message);
  SetEvent(over_.get());
}

void MainWindow::quit() { PostMessageW(window_, kQuit, 0, 0); }

LRESULT CALLBACK MainWindow::handle(HWND window, UINT message, WPARAM word, LPARAM value) {
  auto* self = reinterpret_cast<MainWindow*>(GetWindowLongPtrW(window, GWLP_USERDATA));
  if (self != nullptr && self->on_message(message, word, value)) return TRUE;
  return DefWindowProcW(window, message, word, value);
}

bool MainWindow::on_message(UINT message, WPARAM word, LPARAM value) {
  switch (message) {
    case kPosted: {
      const std::unique_ptr<std::function<void()>> action(
          reinterpret_cast<std::function<void()>*>(value));
      (*action)();
      return true;
    }
    case kQuit:
      PostQuitMessage(0);
      return true;
    case WM_TIMER: {
      KillTimer(window_, word);
      auto timer = timers_.extract(word);
      if (!timer.empty()) timer.mapped()();
      return true;
    }
    case WM_POWERBROADCAST:
      if (word == PBT_APMRESUMEAUTOMATIC && events_.resumed) events_.resumed();
      return true;
    case WM_QUERYENDSESSION:
      return true;
    case WM_ENDSESSION:
      if (word != 0 && events_.session_ending) events_.session_ending();
      return true;
    default:
      return false;
  }
}

}  // namespace causeway::shim::app
