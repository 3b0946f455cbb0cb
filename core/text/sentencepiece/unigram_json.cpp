#include "core/text/sentencepiece/unigram_json.h"

#include <array>
#include <bit>
#include <cstdint>
#include <set>
#include <string_view>

#include "core/base/error.h"

namespace xkde {
namespace {

constexpr std::array<std::string_view, 4> kFirst{"<s>", "<pad>", "</s>", "<unk>"};

// Of sentencepiece_model.proto.
enum Type { kNormal = 1, kUnknown = 2, kControl = 3 };

/// Fields of a message of Protocol Buffers. Source:
/// https://protobuf.dev/programming-guides/encoding
class Message {
 public:
  void number(uint64_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
  }
  void real(uint64_t field, float value) {
    varint(field << 3 | 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8)
      bytes_.push_back(static_cast<char>(bits >> shift & 0xFFU));
  }
  void text(uint64_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

/// -1 for a character that base 64 does not have.
int base64_value(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '+') return 62;
  return letter == '/' ? 63 : -1;
}

std::string from_base64(const JsonPlace& place) {
  std::string_view text = place.string();
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char letter : text) {
    const int value = base64_value(letter);
    if (value < 0) place.fail("bytes in base 64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>(bits >> held & 0xFFU));
  }
  return bytes;
}

/// The rules for characters; empty where there are none.
std::string character_map(const JsonPlace& root) {
  std::string map;
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return map;
  const auto read = [&map](const JsonPlace& step) {
    const JsonPlace type = step.at("type");
    const std::string& name = type.string();
    if (name == "Precompiled") {
      map = from_base64(step.at("precompiled_charsmap"));
    } else if (name == "Replace") {  // of several blanks, which SentencePiece makes one too
      if (step.at("pattern").at("Regex").string() != " {2,}") step.at("pattern").fail("\" {2,}\"");
      const std::string& content = step.at("content").string();
      if (content != " " && content != "\u2581") step.at("content").fail("a blank");
    } else {
      type.fail("Precompiled, or Replace of blanks");
    }
  };
  if (normalizer->at("type").string() != "Sequence") {
    read(*normalizer);
    return map;
  }
  const JsonPlace steps = normalizer->at("normalizers");
  for (size_t i = 0; i < steps.array().size(); ++i) read(steps.item(i));
  return map;
}

void check_pre_tokenizer(const JsonPlace& root) {
  const JsonPlace pre = root.at("pre_tokenizer");
  const auto check_metaspace = [](const JsonPlace& step) {
    if (step.at("type").string() != "Metaspace") step.at("type").fail("Metaspace");
    if (step.string_or("prepend_scheme", "always") != "always")
      step.at("prepend_scheme").fail("\"always\"");
    if (step.string_or("replacement", "\u2581") != "\u2581")
      step.at("replacement").fail("\"\u2581\"");
  };
  if (pre.at("type").string() != "Sequence") return check_metaspace(pre);
  const JsonPlace steps = pre.at("pretokenizers");
  if (steps.array().size() != 2) steps.fail("WhitespaceSplit and Metaspace");
  if (steps.item(0).at("type").string() != "WhitespaceSplit")
    steps.item(0).at("type").fail("WhitespaceSplit");
  check_metaspace(steps.item(1));
}

std::set<std::string> added_tokens(const JsonPlace& root) {
  std::set<std::string> added;
  if (const auto tokens = root.find("added_tokens")) {
    for (size_t i = 0; i < tokens->array().size(); ++i)
      added.insert(tokens->item(i).at("content").string());
  }
  return added;
}

Message piece(std::string_view text, float score, Type type) {
  Message message;
  message.text(1, text);
  message.real(2, score);
  message.number(3, type);
  return message;
}

}  // namespace

std::string sentencepiece_model_of(const JsonPlace& root) {
  const JsonPlace model = root.object().at("model");
  if (model.at("type").string() != "Unigram") model.at("type").fail("\"Unigram\"");
  if (model.boolean_or("byte_fallback", false)) model.at("byte_fallback").fail("false");
  check_pre_tokenizer(root);
  const JsonPlace vocab = model.at("vocab");
  size_t size = vocab.array().size();
  for (size_t i = 0; i < kFirst.size(); ++i) {
    if (vocab.item(i).item(0).string() != kFirst[i])
      vocab.item(i).item(0).fail(concat("\"", kFirst[i], "\""));
  }
  const std::set<std::string> added = added_tokens(root);
  while (size > kFirst.size() && added.contains(vocab.item(size - 1).item(0).string())) --size;

  Message whole;
  whole.text(1, piece("<unk>", 0, kUnknown).bytes());
  whole.text(1, piece("<s>", 0, kControl).bytes());
  whole.text(1, piece("</s>", 0, kControl).bytes());
  for (size_t i = kFirst.size(); i < size; ++i) {
    const JsonPlace entry = vocab.item(i);
    const JsonPlace score = entry.item(1);
    if (!score.value().is_number()) score.fail("a number");
    const std::string& text = entry.item(0).string();
    whole.text(1, piece(text, score.value().get<float>(), kNormal).bytes());
  }
  Message trainer;
  trainer.number(3, 1);  // unigram
  trainer.number(4, size - 1);
  whole.text(2, trainer.bytes());
  Message normalizer;
  if (const std::string map = character_map(root); !map.empty()) normalizer.text(2, map);
  for (const uint64_t yes : {3U, 4U, 5U}) normalizer.number(yes, 1);  // blanks as everywhere
  whole.text(3, normalizer.bytes());
  return whole.bytes();
}

}  // namespace xkde
