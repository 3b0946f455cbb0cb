#include "core/text/tokenizer/pre_tokenizer.h"

#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/text/regex/pattern.h"
#include "core/text/regex/unicode.h"
#include "core/text/tokenizer/byte_alphabet.h"

namespace xkde {
namespace {

/// GPT-2's own split (https://github.com/openai/gpt-2/blob/master/src/encoder.py).
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Each character of a kind as a segment of its own, the others joined.
template <typename IsKind>
std::vector<Segment> partition_characters(std::string_view text, IsKind is_kind) {
  std::vector<Segment> segments;
  size_t previous = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    if (!is_kind(unicode::next(text, i))) continue;
    if (start > previous) segments.push_back({{previous, start}, false});
    segments.push_back({{start, i}, true});
    previous = i;
  }
  if (previous < text.size()) segments.push_back({{previous, text.size()}, false});
  return segments;
}

void append_spans(const Piece& piece, const std::vector<Span>& spans, std::vector<Piece>& out) {
  for (const Span& span : spans) {
    if (span.begin == span.end) continue;
    out.push_back(
        {piece.text.substr(span.begin, span.end - span.begin), piece.at_start && span.begin == 0});
  }
}

/// A step that cuts each piece by itself.
class PieceSplitter : public PreTokenizer {
 public:
  void rewrite(std::vector<Piece>& pieces, size_t) const final {
    std::vector<Piece> out;
    out.reserve(pieces.size() * 2);
    for (Piece& piece : pieces) split(piece, out);
    pieces = std::move(out);
  }

 protected:
  virtual void split(Piece& piece, std::vector<Piece>& out) const = 0;
};

class SequencePreTokenizer : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(const JsonPlace& place) {
    const JsonPlace steps = place.at("pretokenizers");
    for (size_t i = 0; i < steps.array().size(); ++i) {
      auto step = make_pre_tokenizer(steps.item(i));
      if (!step) steps.item(i).fail("a pre-tokenizer");
      steps_.push_back(std::move(step));
    }
  }
  void rewrite(std::vector<Piece>& pieces, size_t most) const override {
    for (const auto& step : steps_) step->apply_within(pieces, most);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

class ByteLevel : public PieceSplitter {
 public:
  explicit ByteLevel(const JsonPlace& place)
      : add_prefix_space_(place.at("add_prefix_space").boolean()),
        use_regex_(place.boolean_or("use_regex", true)),
        pattern_(Regex::pattern(kGpt2Pattern, place.where())) {}

 protected:
  void split(Piece& piece, std::vector<Piece>& out) const override {
    if (add_prefix_space_ && !piece.text.starts_with(' ')) piece.text.insert(0, 1, ' ');
    const size_t first = out.size();
    if (use_regex_) {
      append_spans(piece, split_spans(pattern_.partition(piece.text), SplitBehavior::kIsolated),
                   out);
    } else {
      out.push_back(std::move(piece));
    }
    for (size_t i = first; i < out.size(); ++i) out[i].text = byte_alphabet::spell(out[i].text);
  }

 private:
  bool add_prefix_space_;
  bool use_regex_;
  Regex pattern_;
};

class Split : public PieceSplitter {
 public:
  explicit Split(const JsonPlace& place)
      : pattern_(make_pattern(place.at("pattern"))),
        behavior_(split_behavior(place.at("behavior"))),
        invert_(place.at("invert").boolean()) {}

 protected:
  void split(Piece& piece, std::vector<Piece>& out) const override {
    std::vector<Segment> segments = pattern_.partition(piece.text);
    if (invert_) {
      for (Segment& segment : segments) segment.is_match = !segment.is_match;
    }
    append_spans(piece, split_spans(segments, behavior_), out);
  }

 private:
  Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Splits at characters of one kind (Digits, Punctuation, WhitespaceSplit).
class CharacterSplit : public PieceSplitter {
 public:
  CharacterSplit(bool (*is_kind)(char32_t), SplitBehavior behavior)
      : is_kind_(is_kind), behavior_(behavior) {}

 protected:
  void split(Piece& piece, std::vector<Piece>& out) const override {
    append_spans(piece, split_spans(partition_characters(piece.text, is_kind_), behavior_), out);
  }

 private:
  bool (*is_kind_)(char32_t);
  SplitBehavior behavior_;
};

/// Runs of word characters and runs of other visible ones: \w+|[^\w\s]+.
class Whitespace : public PieceSplitter {
 protected:
  void split(Piece& piece, std::vector<Piece>& out) const override {
    const auto kind_at = [&](size_t& i) {
      const char32_t character = unicode::next(piece.text, i);
      return unicode::is_word(character) ? 1 : unicode::is_whitespace(character) ? 0 : 2;
    };
    size_t begin = 0;
    int run = 0;
    for (size_t i = 0; i < piece.text.size();) {
      const size_t start = i;
      const int kind = kind_at(i);
      if (kind == run) continue;
      if (run != 0) append_spans(piece, {{begin, start}}, out);
      begin = start;
      run = kind;
    }
    if (run != 0) append_spans(piece, {{begin, piece.text.size()}}, out);
  }
};

class Metaspace : public PieceSplitter {
 public:
  explicit Metaspace(const JsonPlace& place) : split_(place.boolean_or("split", true)) {
    replacement_ = place.at("replacement").character();
    unicode::append(spelled_, replacement_);
    const std::string scheme = place.string_or("prepend_scheme", "always");
    if (scheme == "always") {
      scheme_ = Scheme::kAlways;
    } else if (scheme == "first") {
      scheme_ = Scheme::kFirst;
    } else if (scheme == "never") {
      scheme_ = Scheme::kNever;
    } else {
      place.at("prepend_scheme").fail("always, first or never");
    }
    if (const auto old = place.find("add_prefix_space"); old && !old->boolean()) {
      // The old key alone means "never"; beside a scheme that says otherwise the file contradicts
      // itself.
      if (place.find("prepend_scheme") && scheme_ != Scheme::kNever) {
        old->fail(concat("true, as prepend_scheme is \"", scheme, "\""));
      }
      scheme_ = Scheme::kNever;
    }
  }

 protected:
  void split(Piece& piece, std::vector<Piece>& out) const override {
    replace_blanks(piece.text);
    const bool prepends =
        scheme_ == Scheme::kAlways || (scheme_ == Scheme::kFirst && piece.at_start);
    if (prepends && !piece.text.starts_with(spelled_)) piece.text.insert(0, spelled_);
    if (!split_) {
      out.push_back(std::move(piece));
      return;
    }
    const auto is_delimiter = [this](char32_t character) { return character == replacement_; };
    append_spans(
        piece,
        split_spans(partition_characters(piece.text, is_delimiter), SplitBehavior::kMergedWithNext),
        out);
  }

 private:
  enum class Scheme { kAlways, kFirst, kNever };

  void replace_blanks(std::string& text) const {
    if (text.find(' ') == std::string::npos) return;
    std::string replaced;
    for (const char c : text) {
      if (c == ' ') {
        replaced += spelled_;
      } else {
        replaced += c;
      }
    }
    text = std::move(replaced);
  }

  char32_t replacement_ = 0;
  std::string spelled_;
  Scheme scheme_ = Scheme::kAlways;
  bool split_;
};

std::unique_ptr<PreTokenizer> make_pre_tokenizer_step(const JsonPlace& place) {
  const JsonPlace type = place.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") return std::make_unique<SequencePreTokenizer>(place);
  if (name == "ByteLevel") return std::make_unique<ByteLevel>(place);
  if (name == "Split") return std::make_unique<Split>(place);
  if (name == "Digits") {
    const bool individual = place.at("individual_digits").boolean();
    return std::make_unique<CharacterSplit>(
        unicode::is_numeric, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (name == "Metaspace") return std::make_unique<Metaspace>(place);
  if (name == "Whitespace") return std::make_unique<Whitespace>();
  if (name == "WhitespaceSplit") {
    return std::make_unique<CharacterSplit>(unicode::is_whitespace, SplitBehavior::kRemoved);
  }
  if (name == "Punctuation") {
    const auto behavior = place.find("behavior");
    return std::make_unique<CharacterSplit>(
        unicode::is_punctuation, behavior ? split_behavior(*behavior) : SplitBehavior::kIsolated);
  }
  type.fail(
      "a known pre-tokenizer (Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, "
      "WhitespaceSplit, "
      "Punctuation)");
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonPlace& place) {
  if (place.is_null()) return nullptr;
  auto step = make_pre_tokenizer_step(place);
  step->set_place(place.where());
  return step;
}

}  // namespace xkde
