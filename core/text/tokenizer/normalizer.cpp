#include "core/text/tokenizer/normalizer.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include "core/base/error.h"
#include "core/text/regex/pattern.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(const JsonPlace& place) {
    const JsonPlace steps = place.at("normalizers");
    for (size_t i = 0; i < steps.array().size(); ++i) {
      auto step = make_normalizer(steps.item(i));
      if (!step) steps.item(i).fail("a normalizer");
      steps_.push_back(std::move(step));
    }
  }
  void rewrite(Piece& piece, size_t most) const override {
    for (const auto& step : steps_) step->apply_within(piece, most);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(const std::string& form) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* base = nullptr;
    if (form == "NFC") base = icu::Normalizer2::getNFCInstance(status);
    if (form == "NFD") base = icu::Normalizer2::getNFDInstance(status);
    if (form == "NFKC") base = icu::Normalizer2::getNFKCInstance(status);
    if (form == "NFKD") base = icu::Normalizer2::getNFKDInstance(status);
    // The library's tables are those of Unicode 9: what is younger has no decomposition and does
    // not move.
    known_.applyPattern(icu::UnicodeString::fromUTF8("[:age=9.0:]"), status).freeze();
    XKDE_CHECK(U_SUCCESS(status) && base != nullptr, InternalError, "ICU: no ", form, ": ",
               u_errorName(status));
    form_ = std::make_unique<icu::FilteredNormalizer2>(*base, known_);
  }
  void rewrite(Piece& piece, size_t) const override {
    const bool is_ascii = std::all_of(piece.text.begin(), piece.text.end(),
                                      [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (is_ascii) return;
    XKDE_CHECK(piece.text.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()) / 4,
               DataError, "text to normalize: expected less than 512 MiB, found ",
               piece.text.size(), " bytes");
    std::string result;
    icu::StringByteSink<std::string> sink(&result);
    UErrorCode status = U_ZERO_ERROR;
    form_->normalizeUTF8(
        0, icu::StringPiece(piece.text.data(), static_cast<int32_t>(piece.text.size())), sink,
        nullptr, status);
    XKDE_CHECK(U_SUCCESS(status), InternalError, "ICU: normalization: ", u_errorName(status));
    piece.text = std::move(result);
  }

 private:
  icu::UnicodeSet known_;
  std::unique_ptr<const icu::FilteredNormalizer2> form_;
};

class Lowercase : public Normalizer {
 public:
  void rewrite(Piece& piece, size_t) const override {
    std::string lower;
    lower.reserve(piece.text.size());
    for (size_t i = 0; i < piece.text.size();) {
      unicode::append_lowercase(lower, unicode::next(piece.text, i));
    }
    piece.text = std::move(lower);
  }
};

class Strip : public Normalizer {
 public:
  explicit Strip(const JsonPlace& place)
      : left_(place.at("strip_left").boolean()), right_(place.at("strip_right").boolean()) {}
  void rewrite(Piece& piece, size_t) const override {
    size_t begin = std::string::npos;
    size_t end = 0;
    for (size_t i = 0; i < piece.text.size();) {
      const size_t start = i;
      if (unicode::is_whitespace(unicode::next(piece.text, i))) continue;
      begin = std::min(begin, start);
      end = i;
    }
    begin = std::min(begin, piece.text.size());
    if (right_) piece.text.resize(left_ ? std::max(begin, end) : end);
    if (left_ && begin > 0) {
      piece.text.erase(0, begin);
      piece.at_start = false;
    }
  }

 private:
  bool left_;
  bool right_;
};

class StripAccents : public Normalizer {
 public:
  void rewrite(Piece& piece, size_t) const override {
    std::string kept;
    kept.reserve(piece.text.size());
    for (size_t i = 0; i < piece.text.size();) {
      const size_t start = i;
      const char32_t character = unicode::next(piece.text, i);
      if (!unicode::is_mark(character)) {
        kept.append(piece.text, start, i - start);
      } else if (start == 0) {
        piece.at_start = false;
      }
    }
    piece.text = std::move(kept);
  }
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const JsonPlace& place) : text_(place.at("prepend").string()) {}
  void rewrite(Piece& piece, size_t most) const override {
    if (piece.text.empty()) return;
    check_growth(piece.text.size() + text_.size(), most);
    piece.text.insert(0, text_);
  }

 private:
  std::string text_;
};

class Replace : public Normalizer {
 public:
  explicit Replace(const JsonPlace& place)
      : pattern_(make_pattern(place.at("pattern"))), content_(place.at("content").string()) {}
  void rewrite(Piece& piece, size_t most) const override {
    if (content_.empty() && piece.at_start) {
      const auto spans = pattern_.find_all(piece.text);
      if (!spans.empty() && spans.front().begin == 0 && spans.front().end > 0)
        piece.at_start = false;
    }
    const auto watch = [&](size_t bytes) { check_growth(bytes, most); };
    piece.text = replace_all(pattern_, piece.text, content_, watch);
  }

 private:
  Regex pattern_;
  std::string content_;
};

std::unique_ptr<Normalizer> make_normalizer_step(const JsonPlace& place) {
  const JsonPlace type = place.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") return std::make_unique<SequenceNormalizer>(place);
  if (name == "NFC" || name == "NFD" || name == "NFKC" || name == "NFKD") {
    return std::make_unique<UnicodeForm>(name);
  }
  if (name == "Lowercase") return std::make_unique<Lowercase>();
  if (name == "Strip") return std::make_unique<Strip>(place);
  if (name == "StripAccents") return std::make_unique<StripAccents>();
  if (name == "Prepend") return std::make_unique<Prepend>(place);
  if (name == "Replace") return std::make_unique<Replace>(place);
  type.fail(
      "a known normalizer (Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, "
      "Prepend, Replace)");
}

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const JsonPlace& place) {
  if (place.is_null()) return nullptr;
  auto step = make_normalizer_step(place);
  step->set_place(place.where());
  return step;
}

}  // namespace xkde
