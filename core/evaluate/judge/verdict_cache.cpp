#include "core/evaluate/judge/verdict_cache.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVerdictSuffix = ".json";
constexpr size_t kDigits = 64;

bool is_name_of_verdicts(const fs::path& file) {
  const std::string stem = file.stem().string();
  return file.extension() == kVerdictSuffix && stem.size() == kDigits &&
         stem.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// False where the text is no file of verdicts.
bool take_verdicts(const std::string& text, std::map<std::string, JudgeVerdict>& known) {
  const Json all = Json::parse(text, nullptr, false);
  if (!all.is_object()) return false;
  for (const auto& [key, value] : all.items()) {
    const bool is_verdict =
        value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number();
    if (!is_verdict) return false;
    known[key] = {value[0].get<double>(), value[1].get<double>()};
  }
  return true;
}

}  // namespace

VerdictCache::VerdictCache(fs::path folder, std::string fingerprint)
    : folder_(std::move(folder)), fingerprint_(std::move(fingerprint)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  XKDE_CHECK(!error, IoError, folder_.string(), ": expected a folder for verdicts, found ",
             error.message());
  for (const fs::path& file : entries_of(folder_, FileOrigin::kOwn)) {
    if (!is_name_of_verdicts(file)) continue;
    const std::string text = read_text(file, FileOrigin::kOwn);
    if (sha256_hex(text) == file.stem().string() && take_verdicts(text, known_)) continue;
    log::warning(concat(file.string(),
                        ": left out: expected the bytes that it is named by, found others; what "
                        "it held is asked again"));
  }
}

std::string VerdictCache::key_of(const JudgeQuestion& question) const {
  const Json asked{question.question, question.right, question.answer, judge_prompt_sha256(),
                   fingerprint_};
  return sha256_hex(asked.dump());
}

std::optional<JudgeVerdict> VerdictCache::find(const JudgeQuestion& question) const {
  const auto found = known_.find(key_of(question));
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

void VerdictCache::add(const std::vector<JudgedQuestion>& verdicts) {
  if (verdicts.empty()) return;
  Json all = Json::object();
  for (const auto& [question, verdict] : verdicts) {
    const std::string key = key_of(question);
    known_[key] = verdict;
    all[key] = {verdict.yes, verdict.no};
  }
  const std::string text = all.dump() + "\n";
  write_file_atomically(folder_ / concat(sha256_hex(text), kVerdictSuffix), text);
}

}  // namespace xkde
