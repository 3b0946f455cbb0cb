#ifndef XKDE_STAGES_ASK_FACT_STORE_H_
#define XKDE_STAGES_ASK_FACT_STORE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/data/edit_record.h"
#include "core/memory/fact_finder.h"
#include "stages/ask/first_facts.h"

namespace xkde::ask {

/// A fact that somebody adds.
struct NewFact {
  std::string question;
  std::string answer;
  std::string language;      ///< by ISO code
  std::string subject = {};  ///< empty: nobody says
};

/// The facts of a session, which come and go while it answers. Numbers of facts are never used
/// again. Thread-safe.
class FactStore {
 public:
  /// What is_full() goes by where nobody says otherwise.
  static constexpr int64_t kMostRemembered = 100'000;

  explicit FactStore(FirstFacts first, int64_t most_remembered = kMostRemembered);

  struct Entry {
    int64_t number = 0;
    MemoryFact fact;
    bool is_added = false;  ///< by add()
  };
  std::vector<Entry> entries() const;  ///< without those that were removed, the newest last
  int64_t size() const;                ///< of entries()
  /// Whether it remembers so many facts that whoever adds them for others is to be refused. Facts
  /// that were removed count: their numbers and texts stay until the end.
  bool is_full() const;
  /// At most `k` > 0 facts, the nearest first.
  std::vector<FactFinder::Found> find(const std::string& question, int64_t k) const;
  /// What a fact has to fulfil to be found, to be told where none is.
  std::string condition() const;
  /// Returns the fact's number. Throws DataError where a text is blank or not UTF-8, ConfigError
  /// for a language that is not known.
  int64_t add(const NewFact& fact);
  /// False: there is no such fact, or no longer. A file that the facts came from stays as it is.
  bool remove(int64_t number);
  /// All facts as a file of facts (docs/recipes.md).
  std::string json_lines() const;
  /// Makes durable what was added, where there is a file for it.
  void save();

 private:
  bool has(int64_t number) const;
  EditRecord record_of(int64_t number) const;

  mutable std::mutex mutex_;
  std::unique_ptr<FactFinder> finder_;
  std::vector<EditRecord> records_;  ///< of the first facts, as far as there are any
  int64_t first_added_;
  int64_t most_remembered_;
  std::vector<std::string> subjects_;  ///< of added facts
  std::set<int64_t> removed_;
};

}  // namespace xkde::ask

#endif  // XKDE_STAGES_ASK_FACT_STORE_H_
