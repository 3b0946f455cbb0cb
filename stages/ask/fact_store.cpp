#include "stages/ask/fact_store.h"

#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/fact_line.h"
#include "core/data/language.h"
#include "core/text/regex/unicode.h"

namespace xkde::ask {
namespace {

void check_text(const char* name, const std::string& text) {
  XKDE_CHECK(unicode::first_invalid_byte(text) == std::string::npos, DataError, name,
             ": expected UTF-8, found other bytes");
  XKDE_CHECK(!unicode::strip(text).empty(), DataError, name,
             ": expected a text that is not blank, found \"", text, "\"");
}

}  // namespace

FactStore::FactStore(FirstFacts first, int64_t most_remembered)
    : finder_(std::move(first.finder)),
      records_(std::move(first.records)),
      first_added_(finder_->size()),
      most_remembered_(most_remembered) {}

std::vector<FactStore::Entry> FactStore::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  for (int64_t number = 0; number < finder_->size(); ++number) {
    if (has(number)) entries.push_back({number, finder_->fact(number), number >= first_added_});
  }
  return entries;
}

int64_t FactStore::size() const {
  const std::lock_guard lock(mutex_);
  return finder_->size() - std::ssize(removed_);
}

bool FactStore::is_full() const {
  const std::lock_guard lock(mutex_);
  return finder_->size() >= most_remembered_;
}

std::vector<FactFinder::Found> FactStore::find(const std::string& question, int64_t k) const {
  const std::lock_guard lock(mutex_);
  // What finds them keeps removed facts: as many more are looked for.
  std::vector<FactFinder::Found> found = finder_->find(question, k + std::ssize(removed_));
  std::erase_if(found, [this](const FactFinder::Found& one) { return !has(one.index); });
  if (std::ssize(found) > k) found.resize(static_cast<size_t>(k));
  return found;
}

std::string FactStore::condition() const {
  const std::lock_guard lock(mutex_);
  return finder_->condition();
}

int64_t FactStore::add(const NewFact& fact) {
  check_text("question", fact.question);
  check_text("answer", fact.answer);
  if (!fact.subject.empty()) check_text("subject", fact.subject);
  const std::string& language = language_of(fact.language).iso;
  const std::lock_guard lock(mutex_);
  const int64_t number = finder_->size();
  finder_->remember({fact.question, fact.answer, language, number}, fact.subject);
  subjects_.push_back(fact.subject);
  return number;
}

bool FactStore::remove(int64_t number) {
  const std::lock_guard lock(mutex_);
  if (number < 0 || number >= finder_->size()) return false;
  return removed_.insert(number).second;
}

std::string FactStore::json_lines() const {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (int64_t number = 0; number < finder_->size(); ++number) {
    if (has(number)) lines += fact_line(record_of(number));
  }
  return lines;
}

void FactStore::save() {
  const std::lock_guard lock(mutex_);
  finder_->save();
}

bool FactStore::has(int64_t number) const { return !removed_.contains(number); }

EditRecord FactStore::record_of(int64_t number) const {
  if (number < std::ssize(records_)) return records_[static_cast<size_t>(number)];
  const MemoryFact& fact = finder_->fact(number);
  EditRecord record;
  EditSide& side = record.sides[fact.language];
  side.src = fact.prompt;
  side.alt = fact.target;
  if (number >= first_added_) side.subject = subjects_[static_cast<size_t>(number - first_added_)];
  return record;
}

}  // namespace xkde::ask
