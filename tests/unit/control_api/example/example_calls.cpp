#include "example_calls.h"

#include <utility>

#include "example_section.h"

namespace causeway::daemon {

void ExampleCache::clear() {
  bytes_ = 0;
  sections_.changed();
}

void ExampleCache::fill(std::uint64_t total, control::LongCall::Run run) {
  total_ = total;
  run_ = std::move(run);
  run_->progress({"fill", "the cache is being filled", bytes_, total_});
}

void ExampleCache::arrived(std::uint64_t bytes) {
  bytes_ += bytes;
  sections_.changed();
  if (!run_) return;
  run_->progress({"fill", "the cache is being filled", bytes_, total_});
  if (bytes_ >= total_) std::exchange(run_, std::nullopt)->done();
}

void ExampleCache::give_up() {
  if (run_) std::exchange(run_, std::nullopt)->cancelled();
}

void add_example_calls(control::Api& api, ExampleCache& cache) {
  api.sections.add("example",
                   [&cache] { return to_json(control_api::ExampleStatus{cache.bytes()}); });
  api.calls.add({"POST", "/v1/example/clear"}, [&cache](const control::Request&) {
    cache.clear();
    return control::Reply{204, {}};
  });
  control::LongCall::add(api.calls, "/v1/example/fill", {{"bytes", 1, 1000}},
                         [&cache](const control::Request& request,
                                  control::LongCall::Run run) -> Result<std::function<void()>> {
                           if (cache.bytes() > 0) return make_error("it isn't empty");
                           cache.fill(request.number("bytes", 1000), std::move(run));
                           return {[&cache] { cache.give_up(); }};
                         });
}

}  // namespace causeway::daemon
