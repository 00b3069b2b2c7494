// The only file that includes Beast. Beast gets whole units only (a head; a line of a chunk with
// the CRLF that ends the chunk before; the last chunk with its trailers): its own incremental
// reading of chunk lines asserts on some splits (seen with Boost 1.74 and "0\r\n" | "\r").
#include "http/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <string>
#include <variant>

#include "base/text.h"

namespace causeway::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

// Content lengths and chunk sizes above this are refused: engine and proxies keep them signed.
constexpr std::uint64_t kLargestBody = std::numeric_limits<std::int64_t>::max();
// What reset() keeps, so that an idle connection stays small: a usual docker head is 200-600 bytes.
constexpr std::size_t kKeptHead = 2048;
constexpr std::size_t kKeptFields = 32;
// The first byte of a TLS client's first record (RFC 8446, section 5.1), which no method begins
// with.
constexpr char kTlsHandshake = 0x16;

std::string_view view(beast::string_view s) { return {s.data(), s.size()}; }

// The fields that matter for framing. Beast has looked their names up already.
struct Noted {
  std::size_t lengths = 0;
  std::size_t codings = 0;
  std::size_t hosts = 0;
  std::string_view length;
  bool other_coding = false;  // any value but exactly "chunked"
  bool close = false;         // tokens of Connection
  bool keep_alive = false;
  bool upgrade = false;
  bool upgrade_field = false;

  void note(beast::http::field name, std::string_view value);
  void note_connection(std::string_view list);
};

void Noted::note(beast::http::field name, std::string_view value) {
  switch (name) {
    case beast::http::field::content_length:
      ++lengths;
      length = value;
      break;
    case beast::http::field::transfer_encoding:
      ++codings;
      other_coding |= !text::iequals(value, "chunked");
      break;
    case beast::http::field::host:
      ++hosts;
      break;
    case beast::http::field::connection:
      note_connection(value);
      break;
    case beast::http::field::upgrade:
      upgrade_field = true;
      break;
    default:
      break;
  }
}

void Noted::note_connection(std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view token = text::trim(list.substr(0, comma));
    close |= text::iequals(token, "close");
    keep_alive |= text::iequals(token, "keep-alive");
    upgrade |= text::iequals(token, "upgrade");
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

// Beast's parser; notes what it tells.
template <bool is_request>
class Grammar : public beast::http::basic_parser<is_request> {
 public:
  Grammar(Head* head, Noted* noted, std::size_t head_limit, bool skip_body)
      : head_(head), noted_(noted) {
    this->header_limit(static_cast<std::uint32_t>(head_limit));
    // Not boost::none: Beast compares `length > none`, which holds (Boost 1.74).
    this->body_limit(std::numeric_limits<std::uint64_t>::max());
    this->skip(skip_body);
  }

  std::uint64_t chunk_left() const { return chunk_left_; }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCode&) override {
    head_->method = view(method);
    head_->target = view(target);
    head_->version = version;
  }
  void on_response_impl(int status, beast::string_view reason, int version, ErrorCode&) override {
    head_->status = status;
    head_->reason = view(reason);
    head_->version = version;
  }
  void on_field_impl(beast::http::field known, beast::string_view name, beast::string_view value,
                     ErrorCode&) override {
    if (in_body_) return;  // a trailer
    head_->fields.push_back({view(name), view(value)});
    noted_->note(known, view(value));
  }
  void on_header_impl(ErrorCode&) override { in_body_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(beast::string_view piece, ErrorCode&) override { return piece.size(); }
  void on_chunk_header_impl(std::uint64_t size, beast::string_view, ErrorCode&) override {
    chunk_left_ = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, ErrorCode&) override {
    chunk_left_ -= piece.size();
    return piece.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  Head* head_;
  Noted* noted_;
  std::uint64_t chunk_left_ = 0;
  bool in_body_ = false;
};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "host:port" (RFC 9112, section 3.2.3), the host a name or an address, IPv6 in brackets.
bool is_authority(std::string_view target) {
  const std::size_t colon = target.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  if (target.find_first_of("/?#@") != std::string_view::npos) return false;
  const std::string_view host = target.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!bracketed && host.find_first_of(":[]") != std::string_view::npos) return false;
  const auto port = text::to_u64(target.substr(colon + 1));
  return port && *port > 0 && *port <= std::numeric_limits<std::uint16_t>::max();
}

// "scheme://" and something behind it (RFC 3986, section 3).
bool is_absolute(std::string_view target) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos || colon == 0 || colon + 3 == target.size()) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const std::string_view scheme = target.substr(0, colon);
  return is_letter(scheme.front()) && std::all_of(scheme.begin(), scheme.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
         });
}

// Which form the target has. What the endpoint doesn't serve, or what is no target, has a reason.
const char* target_form(Head& head, const Noted& noted, const Forms& forms) {
  if (head.method == "CONNECT") {
    // Its answer is a tunnel.
    if (!forms.connect) return "CONNECT is not served here";
    if (!is_authority(head.target)) return "the target of CONNECT is not a host and a port";
    // RFC 9110, section 9.3.6: no content. What stands behind the head is the tunnel's.
    if (noted.lengths + noted.codings > 0) return "CONNECT with a body";
    head.form = TargetForm::authority;
  } else if (head.target.front() == '/') {
    if (!forms.origin) return "the target is only a path";
    head.form = TargetForm::origin;
  } else if (forms.absolute && is_absolute(head.target)) {
    head.form = TargetForm::absolute;
  } else if (forms.asterisk && head.target == "*" && head.method == "OPTIONS") {
    head.form = TargetForm::asterisk;
  } else {
    return forms.absolute ? "the target is neither a path nor a URL" : "the target is not a path";
  }
  return nullptr;
}

// What to say about a head that Beast took but that could be read in two ways. Sets the length.
const char* ambiguity(const Head& head, const Noted& noted, Kind kind,
                      std::optional<std::uint64_t>* length) {
  if (noted.lengths > 1) return "Content-Length is given twice";
  if (noted.codings > 1) return "Transfer-Encoding is given twice";
  if (noted.lengths + noted.codings > 1) return "both Content-Length and Transfer-Encoding";
  if (noted.lengths > 0) {
    *length = text::to_u64(noted.length);
    if (!*length) return "Content-Length is not a number";
    if (**length > kLargestBody) return "Content-Length is too large";
  }
  if (noted.other_coding) return "a transfer coding other than chunked";
  if (noted.codings > 0 && head.version < 11) return "Transfer-Encoding in HTTP/1.0";
  if (kind == Kind::response) return head.status < 100 ? "a status below 100" : nullptr;
  // Old docker clients send odd hosts ("/var/run/docker.sock"): its value is the engine's business.
  if (noted.hosts > 1) return "Host is given twice";
  if (noted.hosts == 0 && head.version >= 11) return "no Host";
  return nullptr;
}

}  // namespace

struct Parser::Impl {
  Impl(Kind k, Limits l) : kind(k), limits(l) {}

  // Where in a chunked body the next byte is.
  enum class Chunk { line, data, data_end, trailers };

  // In the order of use: a request whose head is remembered touches the first lines only.
  const Kind kind;
  State state = State::head;
  Framing framing = Framing::none;
  bool head_request = false;
  // `gathered` and what follows from it are those of the message before: a client that polls, and
  // the engine within one second, repeat themselves to the byte. Then nothing is parsed again:
  // measured, it takes the hop's `_ping` from 1.15 of the bare relay's to 1.10.
  bool remembered = false;
  bool remembered_head_request = false;
  bool chunk_used = false;
  bool first_line = true;
  bool too_large = false;
  char last = 0;           // the byte before, within a line
  std::uint64_t left = 0;  // of a body with a length
  std::optional<std::uint64_t> length;
  std::string_view body;
  std::string_view wire;
  std::string gathered;        // the head's bytes, as far as they are there
  std::size_t line_begin = 0;  // of the last line in `gathered`
  Noted noted;
  Head head;

  // A line of a chunk that is not complete yet, or the last chunk with its trailers.
  std::string chunk_unit;
  std::size_t chunk_line_begin = 0;
  std::size_t chunk_shown = 0;  // bytes of chunk_unit that wire() gave already
  bool chunk_unit_done = false;
  Chunk chunk = Chunk::line;
  std::variant<std::monostate, Grammar<true>, Grammar<false>> grammar;
  const Limits limits;

  Error fail(std::string_view what) {
    state = State::failed;
    return make_error(std::string(kind == Kind::request ? "request: " : "response: ").append(what));
  }
  Error fail_large(std::string_view what) {
    too_large = true;
    return fail(what);
  }

  bool repeats(std::string_view in) const {
    return remembered && head_request == remembered_head_request && in.starts_with(gathered);
  }
  void forget();
  void begin_body();
  Result<std::size_t> feed_head(std::string_view in);
  const char* guard_byte(char c);
  const char* check_first_line() const;
  Status parse_head();
  Status head_complete();
  Result<std::size_t> feed_body(std::string_view in);
  Result<std::size_t> feed_chunk_data(std::string_view in);
  Result<std::size_t> feed_chunk_unit(std::string_view in);
  const char* end_chunk_line(bool* unit_complete);

  template <typename F>
  auto with_grammar(F f) {
    return kind == Kind::request ? f(std::get<Grammar<true>>(grammar))
                                 : f(std::get<Grammar<false>>(grammar));
  }
  // Gives `bytes` to Beast; says how many it took.
  std::size_t put(std::string_view bytes, ErrorCode& ec) {
    return with_grammar(
        [&](auto& g) { return g.put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec); });
  }
  bool grammar_done() {
    return with_grammar([](auto& g) { return g.is_done(); });
  }
};

// Refusals that hold for any byte of a head line; the line ends are checked where they are found.
const char* Parser::Impl::guard_byte(char c) {
  if (last == '\r' && c != '\n') return "a bare CR";
  if (c == '\n' && last != '\r') return "a bare LF";
  if (c == '\0') return "a NUL byte";
  if (last == '\n' && (c == ' ' || c == '\t')) return "a folded line";
  return nullptr;
}

// As soon as the first line is there: a client that speaks another protocol shall not wait for the
// time limit.
const char* Parser::Impl::check_first_line() const {
  const std::string_view line(gathered.data(), gathered.size() - 2);
  if (kind == Kind::response) {
    return line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")
               ? nullptr
               : "not an HTTP/1.x status line";
  }
  if (line.empty()) return "an empty line in front";
  // RFC 9113, section 3.4: what a client sends that takes HTTP/2 for granted.
  if (line == "PRI * HTTP/2.0") {
    return "this socket speaks HTTP/1.1, and the client began with HTTP/2: it has to begin with "
           "HTTP/1.1 and may ask for an upgrade where the call has one";
  }
  return line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")
             ? nullptr
             : "not an HTTP/1.x request line";
}

Result<std::size_t> Parser::Impl::feed_head(std::string_view in) {
  if (repeats(in)) {
    remembered = false;
    begin_body();
    wire = in.substr(0, gathered.size());
    return gathered.size();
  }
  if (remembered) forget();
  const bool from_here = gathered.empty();  // then `in` holds the head from its first byte
  std::size_t piece = 0;                    // begin of what is not yet in `gathered`
  if (from_here && kind == Kind::request && in[0] == kTlsHandshake) {
    return fail("this socket speaks HTTP without TLS, and the client began with TLS");
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (last != '\r' && last != '\n') {
      // Within a line: nothing above CR needs a closer look.
      const std::size_t begin = i;
      while (i < in.size() && static_cast<unsigned char>(in[i]) > '\r') ++i;
      if (i > begin) last = in[i - 1];
    }
    const std::size_t before = gathered.size() + (i - piece);
    if (before > limits.head || (before == limits.head && i < in.size())) {
      return fail_large("a head of more than " + std::to_string(limits.head) + " bytes");
    }
    if (i == in.size()) break;
    const char c = in[i];
    if (const char* what = guard_byte(c)) return fail(what);
    last = c;
    if (c != '\n') continue;
    gathered.append(in, piece, i + 1 - piece);
    piece = i + 1;
    if (first_line) {
      if (const char* what = check_first_line()) return fail(what);
      first_line = false;
    } else if (gathered.size() - line_begin == 2) {
      if (auto status = head_complete(); !status.ok()) return std::move(status).error();
      wire = from_here ? in.substr(0, i + 1) : std::string_view(gathered);
      return i + 1;
    }
    line_begin = gathered.size();
  }
  gathered.append(in, piece);
  return in.size();
}

Status Parser::Impl::parse_head() {
  if (kind == Kind::request) {
    grammar.emplace<Grammar<true>>(&head, &noted, limits.head, false);
  } else {
    grammar.emplace<Grammar<false>>(&head, &noted, limits.head, head_request);
  }
  ErrorCode ec;
  const std::size_t taken = put(gathered, ec);
  if (ec) return fail(ec.message());
  if (taken != gathered.size()) return fail("a malformed head");
  return Ok{};
}

Status Parser::Impl::head_complete() {
  if (auto status = parse_head(); !status.ok()) return status;
  head.raw = gathered;
  if (head.fields.size() > limits.fields) return fail_large("too many fields");
  if (head.target.size() > limits.target) return fail_large("a target that is too long");
  if (const char* what = ambiguity(head, noted, kind, &length)) return fail(what);
  if (kind == Kind::request) {
    if (const char* what = target_form(head, noted, limits.forms)) return fail(what);
  }

  const bool without_body = kind == Kind::response && (head_request || head.status < 200 ||
                                                       head.status == 204 || head.status == 304);
  if (without_body) {
    framing = Framing::none;
  } else if (noted.codings > 0) {
    framing = Framing::chunked;
  } else if (length) {
    framing = Framing::length;
  } else {
    framing = kind == Kind::request ? Framing::none : Framing::until_close;
  }
  begin_body();
  return Ok{};
}

void Parser::Impl::begin_body() {
  left = framing == Framing::length ? *length : 0;
  const bool has_body = left > 0 || framing == Framing::chunked || framing == Framing::until_close;
  state = has_body ? State::body : State::complete;
  chunk_used = framing == Framing::chunked;
}

// What is known of the message before, which isn't repeated.
void Parser::Impl::forget() {
  remembered = false;
  head.fields.clear();
  if (head.fields.capacity() > kKeptFields) head.fields.shrink_to_fit();
  head.method = head.target = head.reason = head.raw = {};
  head.form = TargetForm::none;
  head.status = head.version = 0;
  noted = {};
  framing = Framing::none;
  length.reset();
  gathered.clear();
  if (gathered.capacity() > kKeptHead) gathered.shrink_to_fit();
}

Result<std::size_t> Parser::Impl::feed_body(std::string_view in) {
  if (framing == Framing::chunked) {
    return chunk == Chunk::data ? feed_chunk_data(in) : feed_chunk_unit(in);
  }
  body = wire = framing == Framing::length ? in.substr(0, left) : in;
  left -= framing == Framing::length ? body.size() : 0;
  if (framing == Framing::length && left == 0) state = State::complete;
  return body.size();
}

Result<std::size_t> Parser::Impl::feed_chunk_data(std::string_view in) {
  ErrorCode ec;
  const std::size_t taken = put(in, ec);
  if (ec) return fail(ec.message());
  body = wire = in.substr(0, taken);
  if (with_grammar([](auto& g) { return g.chunk_left(); }) == 0) chunk = Chunk::data_end;
  return taken;
}

// At the LF of a line of `chunk_unit`: checks it and says whether the unit ends here.
const char* Parser::Impl::end_chunk_line(bool* unit_complete) {
  const std::string_view line(chunk_unit.data() + chunk_line_begin,
                              chunk_unit.size() - chunk_line_begin - 2);
  chunk_line_begin = chunk_unit.size();
  if (chunk == Chunk::trailers) {
    *unit_complete = line.empty();
    return nullptr;
  }
  const auto digits_end = std::find_if_not(line.begin(), line.end(), is_hex);
  const auto digits = static_cast<std::size_t>(digits_end - line.begin());
  if (digits == 0 || digits > 16) return "a bad chunk size";
  if (digits_end != line.end() && *digits_end != ';') return "a bad chunk size";
  if (line.find_first_not_of('0') < digits) {
    *unit_complete = true;
  } else {
    chunk = Chunk::trailers;
  }
  return nullptr;
}

Result<std::size_t> Parser::Impl::feed_chunk_unit(std::string_view in) {
  const bool from_here = chunk_unit.empty();  // then `in` holds the unit from its first byte
  std::size_t good = chunk_shown;             // of chunk_unit, to pass on
  std::size_t taken = 0;
  bool complete = false;
  while (taken < in.size() && !complete) {
    const char c = in[taken++];
    const char before = chunk_unit.size() > chunk_line_begin ? chunk_unit.back() : '\0';
    chunk_unit.push_back(c);
    if (chunk == Chunk::data_end) {
      if (c != (chunk_unit.size() == 1 ? '\r' : '\n')) return fail("no CRLF behind a chunk");
      if (chunk_unit.size() == 2) {
        chunk = Chunk::line;
        chunk_line_begin = 2;
        good = 2;
      }
      continue;
    }
    if ((before == '\r') != (c == '\n')) return fail("a bare CR or LF in a chunk's line");
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\r' && c != '\n' && c != '\t') ||
        c == 0x7f) {
      return fail("a control character in a chunk's line");
    }
    if (chunk == Chunk::trailers && before == '\0' && (c == ' ' || c == '\t')) {
      return fail("a folded line");
    }
    if (chunk_unit.size() > (chunk == Chunk::trailers ? limits.trailers : limits.chunk_line)) {
      return fail("too long a chunk line or trailer");
    }
    if (c == '\n') {
      if (const char* what = end_chunk_line(&complete)) return fail(what);
    }
  }
  if (complete) {
    ErrorCode ec;
    const std::size_t used = put(chunk_unit, ec);
    if (ec) return fail(ec.message());
    if (used != chunk_unit.size()) return fail("a malformed chunk");
    if (grammar_done()) {
      state = State::complete;
    } else {
      if (with_grammar([](auto& g) { return g.chunk_left(); }) > kLargestBody) {
        return fail("a bad chunk size");
      }
      chunk = Chunk::data;
    }
    good = chunk_unit.size();
    chunk_unit_done = true;
  }
  wire = from_here ? in.substr(0, good)
                   : std::string_view(chunk_unit).substr(chunk_shown, good - chunk_shown);
  chunk_shown = good;
  return taken;
}

Parser::Parser(Kind kind, Limits limits) : impl_(std::make_unique<Impl>(kind, limits)) {}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

Result<std::size_t> Parser::feed(std::string_view in) {
  Impl& p = *impl_;
  p.body = p.wire = {};
  if (p.chunk_used && p.chunk_unit_done) {
    p.chunk_unit.clear();
    p.chunk_line_begin = p.chunk_shown = 0;
    p.chunk_unit_done = false;
  }
  if (in.empty()) return std::size_t{0};
  switch (p.state) {
    case State::head:
      return p.feed_head(in);
    case State::body:
      return p.feed_body(in);
    case State::complete:
      return std::size_t{0};
    case State::failed:
      return make_error("the message was refused before");
  }
  return std::size_t{0};
}

Status Parser::finish() {
  Impl& p = *impl_;
  p.body = p.wire = {};
  switch (p.state) {
    case State::head:
      if (!started()) return Ok{};
      return p.fail("the input ended within the head");
    case State::body:
      if (p.framing != Framing::until_close) return p.fail("the input ended within the body");
      p.state = State::complete;
      return Ok{};
    case State::complete:
      return Ok{};
    case State::failed:
      return make_error("the message was refused before");
  }
  return Ok{};
}

Parser::State Parser::state() const { return impl_->state; }
bool Parser::started() const { return impl_->state != State::head || impl_->last != 0; }
bool Parser::too_large() const { return impl_->too_large; }
std::size_t Parser::held() const {
  return impl_->gathered.capacity() + impl_->head.fields.capacity() * sizeof(Field);
}
const Head& Parser::head() const { return impl_->head; }
std::string_view Parser::body() const { return impl_->body; }
std::string_view Parser::wire() const { return impl_->wire; }
Framing Parser::framing() const { return impl_->framing; }
std::optional<std::uint64_t> Parser::content_length() const { return impl_->length; }

bool Parser::keep_alive() const {
  if (impl_->framing == Framing::until_close || impl_->noted.close) return false;
  return impl_->head.version >= 11 || impl_->noted.keep_alive;
}

bool Parser::upgrade() const { return impl_->noted.upgrade && impl_->noted.upgrade_field; }

void Parser::set_head_request(bool head_request) { impl_->head_request = head_request; }

void Parser::reset() {
  Impl& p = *impl_;
  // A head that was complete is kept for the next message; feed() finds out whether it is the same.
  if (head_done() && p.gathered.size() <= kKeptHead && p.head.fields.size() <= kKeptFields &&
      p.framing != Framing::chunked) {
    p.remembered = true;
    p.remembered_head_request = p.head_request;
  } else {
    p.forget();
  }
  if (p.chunk_used) {
    p.chunk_used = false;
    p.chunk_unit.clear();
    if (p.chunk_unit.capacity() > kKeptHead) p.chunk_unit.shrink_to_fit();
    p.chunk_line_begin = p.chunk_shown = 0;
    p.chunk_unit_done = false;
    p.chunk = Impl::Chunk::line;
  }
  p.state = State::head;
  p.head_request = false;
  p.line_begin = 0;
  p.last = 0;
  p.first_line = true;
  p.body = p.wire = {};
}

}  // namespace causeway::http
