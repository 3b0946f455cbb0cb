#include "core/text/tokenizer/token_decoder.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/text/regex/pattern.h"
#include "core/text/regex/unicode.h"
#include "core/text/tokenizer/byte_alphabet.h"

namespace xkde {
namespace {

class SequenceDecoder : public TokenDecoder {
 public:
  explicit SequenceDecoder(const JsonPlace& place) {
    const JsonPlace steps = place.at("decoders");
    for (size_t i = 0; i < steps.array().size(); ++i) {
      auto step = make_token_decoder(steps.item(i));
      if (!step) steps.item(i).fail("a decoder");
      steps_.push_back(std::move(step));
    }
  }
  void rewrite(std::vector<std::string>& tokens, size_t most) const override {
    for (const auto& step : steps_) step->apply_within(tokens, most);
  }

 private:
  std::vector<std::unique_ptr<TokenDecoder>> steps_;
};

class ByteLevelDecoder : public TokenDecoder {
 public:
  void rewrite(std::vector<std::string>& tokens, size_t) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += byte_alphabet::unspell(token).value_or(token);
    tokens = {unicode::replace_ill_formed(bytes)};
  }
};

class ReplaceDecoder : public TokenDecoder {
 public:
  explicit ReplaceDecoder(const JsonPlace& place)
      : pattern_(make_pattern(place.at("pattern"))), content_(place.at("content").string()) {}
  void rewrite(std::vector<std::string>& tokens, size_t most) const override {
    size_t done = 0;
    const auto watch = [&](size_t bytes) { check_growth(done + bytes, most); };
    for (std::string& token : tokens) {
      token = replace_all(pattern_, token, content_, watch);
      done += token.size();
    }
  }

 private:
  Regex pattern_;
  std::string content_;
};

/// Turns runs of "<0x..>" into the text they spell, or into one U+FFFD for each byte when they
/// spell none.
class ByteFallback : public TokenDecoder {
 public:
  void rewrite(std::vector<std::string>& tokens, size_t) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (unicode::first_invalid_byte(bytes) == std::string_view::npos) {
        out.push_back(bytes);
      } else {
        out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = byte_of(token)) {
        bytes.push_back(*byte);
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(out);
  }

 private:
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>'))
      return std::nullopt;
    unsigned value = 0;
    const char* const begin = token.data() + 3;
    const auto result = std::from_chars(begin, begin + 2, value, 16);
    if (result.ec != std::errc() || result.ptr != begin + 2) return std::nullopt;
    return static_cast<char>(value);
  }
};

class Fuse : public TokenDecoder {
 public:
  void rewrite(std::vector<std::string>& tokens, size_t) const override {
    std::string all;
    for (const std::string& token : tokens) all += token;
    tokens = {std::move(all)};
  }
};

class StripDecoder : public TokenDecoder {
 public:
  explicit StripDecoder(const JsonPlace& place)
      : start_(count(place.at("start"))), stop_(count(place.at("stop"))) {
    unicode::append(content_, place.at("content").character());
  }
  void rewrite(std::vector<std::string>& tokens, size_t) const override {
    for (std::string& token : tokens) {
      std::string_view rest(token);
      for (size_t i = 0; i < start_ && rest.starts_with(content_); ++i)
        rest.remove_prefix(content_.size());
      for (size_t i = 0; i < stop_ && rest.ends_with(content_); ++i)
        rest.remove_suffix(content_.size());
      token = std::string(rest);
    }
  }

 private:
  static size_t count(const JsonPlace& place) {
    return static_cast<size_t>(place.integer(0, std::numeric_limits<int32_t>::max()));
  }

  std::string content_;
  size_t start_;
  size_t stop_;
};

class MetaspaceDecoder : public TokenDecoder {
 public:
  explicit MetaspaceDecoder(const JsonPlace& place)
      : drops_first_(place.string_or("prepend_scheme", "always") != "never" &&
                     place.boolean_or("add_prefix_space", true)) {
    unicode::append(replacement_, place.at("replacement").character());
  }
  void rewrite(std::vector<std::string>& tokens, size_t) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = with_blanks(tokens[i], i == 0 && drops_first_);
  }

 private:
  std::string with_blanks(std::string_view token, bool drops) const {
    std::string text;
    for (size_t i = 0; i < token.size();) {
      if (token.substr(i).starts_with(replacement_)) {
        if (!drops) text += ' ';
        i += replacement_.size();
      } else {
        text += token[i++];
      }
    }
    return text;
  }

  std::string replacement_;
  bool drops_first_;
};

std::unique_ptr<TokenDecoder> make_decoder_step(const JsonPlace& place) {
  const JsonPlace type = place.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") return std::make_unique<SequenceDecoder>(place);
  if (name == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (name == "Replace") return std::make_unique<ReplaceDecoder>(place);
  if (name == "ByteFallback") return std::make_unique<ByteFallback>();
  if (name == "Fuse") return std::make_unique<Fuse>();
  if (name == "Strip") return std::make_unique<StripDecoder>(place);
  if (name == "Metaspace") return std::make_unique<MetaspaceDecoder>(place);
  type.fail("a known decoder (Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace)");
}

}  // namespace

std::unique_ptr<TokenDecoder> make_token_decoder(const JsonPlace& place) {
  if (place.is_null()) return nullptr;
  auto step = make_decoder_step(place);
  step->set_place(place.where());
  return step;
}

}  // namespace xkde
