#include "core/text/regex/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>
#include <cstdint>
#include <utility>

#include <pcre2.h>

#include "core/base/error.h"
#include "core/text/regex/regex_syntax.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr size_t kFirstStackBytes = size_t{32} << 10;
constexpr size_t kMostStackBytes = size_t{64} << 20;

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// What one thread needs to run any pattern: room for the whole match, and a stack that grows on
/// demand.
class MatchRoom {
 public:
  MatchRoom()
      : data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(kFirstStackBytes, kMostStackBytes, nullptr)) {
    XKDE_CHECK(data_ != nullptr && context_ != nullptr, MemoryError,
               "PCRE2: no memory for a match");
    if (stack_ != nullptr) pcre2_jit_stack_assign(context_, nullptr, stack_);
  }
  MatchRoom(const MatchRoom&) = delete;
  MatchRoom& operator=(const MatchRoom&) = delete;
  ~MatchRoom() {
    pcre2_match_data_free(data_);
    pcre2_match_context_free(context_);
    if (stack_ != nullptr) pcre2_jit_stack_free(stack_);
  }
  pcre2_match_data* data() const { return data_; }
  pcre2_match_context* context() const { return context_; }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
};

MatchRoom& match_room() {
  thread_local MatchRoom room;
  return room;
}

pcre2_code* compile(std::string_view pattern, uint32_t options, const std::string& where) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | options, &error, &offset, nullptr);
  XKDE_CHECK(code != nullptr, DataError, where, ": expected a regular expression, found ",
             message_of(error), " at offset ", offset, " of ", pattern);
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
  return code;
}

/// Whether a pattern has a character beyond U+FFFF, as it is or by its number, or one that has a
/// stand-in: a stand-in could be, or not be, what it asks for by name.
bool spells_out_rare(std::string_view pattern) {
  if (unicode::first_invalid_byte(pattern) != std::string_view::npos) return true;
  if (unicode::has_additions(pattern)) return true;
  for (size_t at = 0; at < pattern.size();) {
    if (unicode::next(pattern, at) > 0xFFFF) return true;
  }
  for (size_t at = pattern.find("\\x{"); at != std::string_view::npos;
       at = pattern.find("\\x{", at + 1)) {
    const size_t end = pattern.find('}', at);
    if (end == std::string_view::npos || end - at > 7) return true;  // five digits
  }
  return false;
}

}  // namespace

struct Regex::Code {
  Code(pcre2_code* compiled, bool takes) : code(compiled), takes_stand_ins(takes) {}
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
  pcre2_code* code;
  bool takes_stand_ins;  ///< characters younger than PCRE2's classes are looked up as older ones
};

Regex Regex::pattern(std::string_view oniguruma, const std::string& where) {
  // In Ruby syntax ^ and $ always match at line breaks.
  const uint32_t options = PCRE2_UCP | PCRE2_MULTILINE;
  return Regex(
      std::make_shared<Code>(compile(pcre2_from_oniguruma(oniguruma, where), options, where),
                             !spells_out_rare(oniguruma)));
}

Regex Regex::literal(std::string_view text) {
  return Regex(std::make_shared<Code>(compile(text, PCRE2_LITERAL, "literal pattern"), false));
}

std::vector<Span> Regex::find_all(std::string_view text) const {
  std::vector<Span> spans;
  std::string older;
  if (code_->takes_stand_ins && unicode::has_additions(text)) {
    older = unicode::with_stand_ins(text);
    text = older;
  }
  const MatchRoom& room = match_room();
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(room.data());
  size_t from = 0;
  size_t last_end = std::string_view::npos;
  while (from <= text.size()) {
    const int found =
        pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                    PCRE2_NO_UTF_CHECK, room.data(), room.context());
    if (found == PCRE2_ERROR_NOMATCH) break;
    XKDE_CHECK(found >= 0, DataError, "regular expression on a text of ", text.size(),
               " bytes: expected a result, found ", message_of(found));
    const Span span{ends[0], ends[1]};
    if (span.begin == span.end && span.end == last_end) {
      if (from >= text.size()) break;
      unicode::next(text, from);
      continue;
    }
    spans.push_back(span);
    from = span.end;
    last_end = span.end;
  }
  return spans;
}

std::vector<Segment> Regex::partition(std::string_view text) const {
  std::vector<Segment> segments;
  size_t previous = 0;
  for (const Span& span : find_all(text)) {
    if (span.begin > previous) segments.push_back({{previous, span.begin}, false});
    segments.push_back({span, true});
    previous = span.end;
  }
  if (previous < text.size()) segments.push_back({{previous, text.size()}, false});
  return segments;
}

}  // namespace xkde
