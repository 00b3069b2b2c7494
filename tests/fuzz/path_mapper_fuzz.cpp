// Fuzz target for the path map. The first byte says who asks (bits 0 and 1) and what the context is
// like (bits 2 to 4: shares attached, drives there, <wsl> elsewhere); the rest is the source, and
// the text of a message. What must hold for any input: a client of a distro gets no file of the
// engine's that isn't meant for it, or that it doesn't call the engine's; what is shown leads back
// to the same file, and is shown the same again; a bind is cut at a colon.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/path_mapper_fuzz.cpp agent/paths/*.cpp agent/base/text.cpp -o fuzz
//   mkdir corpus && ./fuzz corpus
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "paths/path_mapper.h"
#include "paths/unix_path.h"

using namespace causeway::paths;

namespace {

PathContext make_context(unsigned bits) {
  const bool attached = (bits & 4U) != 0;
  PathContext context;
  context.own_below_dev = [](std::string_view, std::string_view path) {
    return path.ends_with(".sock");
  };
  context.distros["A"] = {{"/mnt/wsl", {{"/home/m", 'c', "/M"}, {"/mnt/c", 'c', ""}}}, attached};
  context.distros["B"] = {{"/wsl", {{"/c", 'c', ""}, {"/c/d", 'd', ""}}}, true};
  if ((bits & 8U) != 0) context.drives = {'c', 'd'};
  if ((bits & 16U) != 0) context.wsl = "/wsl";
  return context;
}

Identity make_asker(unsigned bits) {
  switch (bits & 3U) {
    case 0:
      return {Identity::Kind::distro, "A"};
    case 1:
      return {Identity::Kind::distro, "B"};
    case 2:
      return {Identity::Kind::windows, "windows"};
    default:
      return {};
  }
}

// The engine's path, or nothing.
std::string map(const Identity& asker, std::string_view source, const PathContext& context) {
  const Target target = classify(asker, source, context);
  if (target.kind == Target::Kind::refused && target.reason.empty()) std::abort();
  if (target.kind == Target::Kind::engine) return target.path;
  if (target.kind != Target::Kind::in_distro && target.kind != Target::Kind::absent) return {};
  if (!is_clean(target.path) || !context.distros.contains(target.distro)) std::abort();
  const auto placed = engine_path_if_attached(asker, target.distro, target.path, context);
  return placed.ok() ? *placed : std::string();
}

bool allowed(const Identity& asker, std::string_view source, const std::string& path,
             const PathContext& context) {
  if (asker.kind == Identity::Kind::windows) return true;
  if (is_at_or_below(clean(source), "/mnt/engine")) return true;  // says that it means the engine's
  if (is_at_or_below(clean(source), "/var/lib/docker"))
    return is_at_or_below(path, context.docker_root);
  for (const char* directory :
       {"/mnt/distro/A", "/mnt/distro/B", "/dev", "/proc", "/sys", "/lib/modules", "/usr/lib/wsl"})
    if (is_at_or_below(path, directory)) return true;
  for (const char letter : context.drives)
    if (is_at_or_below(path, std::string("/mnt/host/") + letter)) return true;
  return is_at_or_below(path, context.wsl) || path == api_socket(asker, context.run);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const PathContext context = make_context(data[0]);
  const Identity asker = make_asker(data[0]);
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  const auto length = bind_source_length(input);
  if (length != std::string_view::npos && (length >= input.size() || input[length] != ':'))
    std::abort();
  unmap(asker, input, context);
  unmap_text(asker, input, context);
  valid_distro_name(input);

  const std::string mapped = map(asker, input, context);
  if (mapped.empty()) return 0;
  if (asker.kind == Identity::Kind::engine || !is_clean(mapped) ||
      !allowed(asker, input, mapped, context))
    std::abort();
  const std::string shown = unmap(asker, mapped, context);
  if (map(asker, shown, context) != mapped || unmap(asker, mapped, context) != shown) std::abort();
  return 0;
}
