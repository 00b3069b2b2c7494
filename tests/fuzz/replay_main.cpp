// Runs a fuzz target over known inputs, for builds without libFuzzer: every input that once
// mattered stays tested. A file that ends in .txt holds one input a line, escaped (see corpus/);
// any other file is one input as it is, for what a fuzzer has just found. A target reports by
// abort().
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input, std::string_view name, std::size_t line) {
  // The last one named is the one that aborted.
  std::fprintf(stderr, "%.*s:%zu\n", static_cast<int>(name.size()), name.data(), line);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string unescaped(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      out += line[i];
      continue;
    }
    switch (line[++i]) {
      case 'r':
        out += '\r';
        break;
      case 'n':
        out += '\n';
        break;
      case 'x':
        out += static_cast<char>(std::stoi(std::string(line.substr(i + 1, 2)), nullptr, 16));
        i += 2;
        break;
      default:
        out += line[i];
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    std::ifstream file(argv[i], std::ios::binary);
    if (!name.ends_with(".txt")) {
      const std::string bytes((std::istreambuf_iterator<char>(file)),
                              std::istreambuf_iterator<char>());
      run(bytes, name, 0);
      ++count;
      continue;
    }
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
      if (line.empty() || line[0] == '#') continue;
      run(unescaped(line), name, number);
      ++count;
    }
  }
  std::fprintf(stderr, "%zu inputs\n", count);
  return count == 0 ? 1 : 0;
}
