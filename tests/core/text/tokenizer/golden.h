#ifndef XKDE_TESTS_CORE_TEXT_TOKENIZER_GOLDEN_H_
#define XKDE_TESTS_CORE_TEXT_TOKENIZER_GOLDEN_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde::test {

using Ids = std::vector<int64_t>;

/// Files that tests/golden/make_tokenizer_golden.py wrote.
inline std::filesystem::path golden_folder() { return XKDE_SOURCE_DIR "/tests/golden/tokenizer"; }

inline std::vector<std::string> golden_texts() {
  std::vector<std::string> texts;
  for (const Json& entry : read_json_file(golden_folder() / "texts.json")) {
    if (entry.is_string()) {
      texts.push_back(entry.get<std::string>());
      continue;
    }
    std::string text;
    for (int64_t i = 0; i < entry["times"].get<int64_t>(); ++i) {
      text += entry["repeat"].get<std::string>();
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

/// Digest of id sequences: each as its length and its ids, 32-bit little endian.
class IdDigest {
 public:
  void add(const Ids& ids) {
    std::vector<uint32_t> words;
    words.reserve(ids.size() + 1);
    words.push_back(static_cast<uint32_t>(ids.size()));
    for (const int64_t id : ids) words.push_back(static_cast<uint32_t>(id));
    sha_.update(words.data(), words.size() * sizeof(uint32_t));
  }
  std::string hex() const { return sha_.hex(); }

 private:
  Sha256 sha_;
};

/// `ids` as the golden files keep them: long ones as a digest.
inline Json kept(const Ids& ids) {
  constexpr size_t kKeptIds = 400;
  if (ids.size() <= kKeptIds) return ids;
  IdDigest digest;
  digest.add(ids);
  return {{"count", ids.size()}, {"sha256", digest.hex()}};
}

inline Json kept_text(const std::string& decoded, const Json& expected) {
  if (expected.is_object()) return {{"sha256", sha256_hex(decoded)}};
  return decoded;
}

/// What in `golden` (one file's content) the tokenizer does otherwise, a line each; empty when all
/// is equal.
inline std::string differences(const Tokenizer& tokenizer, const Json& golden) {
  std::string report;
  const auto compare = [&](const std::string& what, const Json& expected, const Json& found) {
    if (expected == found) return;
    report += what + ": expected " + expected.dump(-1, ' ', true).substr(0, 300) + ", found " +
              found.dump(-1, ' ', true).substr(0, 300) + "\n";
  };
  const auto compare_decoded = [&](const std::string& what, const Json& entry, const Ids& ids) {
    const Json& whole = entry.contains("decoded_whole") ? entry["decoded_whole"] : entry["decoded"];
    compare(what + ", decoded", entry["decoded"],
            kept_text(tokenizer.decode(ids, true), entry["decoded"]));
    compare(what + ", decoded whole", whole, kept_text(tokenizer.decode(ids, false), whole));
  };
  const std::vector<std::string> texts = golden_texts();
  if (texts.size() != golden["texts"].size()) return "texts: other number than texts.json";
  for (size_t i = 0; i < texts.size(); ++i) {
    const Ids ids = tokenizer.encode(texts[i]);
    const std::string name =
        Json(texts[i].substr(0, 40)).dump(-1, ' ', true, Json::error_handler_t::replace);
    compare(name, golden["texts"][i]["ids"], kept(ids));
    compare_decoded(name, golden["texts"][i], ids);
  }
  const Json& special = golden["with_special_tokens"];
  compare("with special tokens", special["ids"],
          tokenizer.encode(special["text"].get<std::string>(), true));
  for (const Json& odd : golden["odd"])
    compare_decoded(odd["ids"].dump(), odd, odd["ids"].get<Ids>());
  return report;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_TEXT_TOKENIZER_GOLDEN_H_
