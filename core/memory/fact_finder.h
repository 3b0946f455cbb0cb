#ifndef XKDE_CORE_MEMORY_FACT_FINDER_H_
#define XKDE_CORE_MEMORY_FACT_FINDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/edit_memory.h"
#include "core/memory/fact_index.h"
#include "core/memory/question_index.h"
#include "core/model/encoders/sentence_encoder.h"

namespace xkde {

/// An ordered list of facts in which a question finds those that answer it.
class FactFinder {
 public:
  struct Found {
    int64_t index = 0;  ///< of the fact
    MemoryFact fact;
    double cosine = 0;
  };
  virtual ~FactFinder() = default;
  virtual int64_t size() const = 0;
  virtual const MemoryFact& fact(int64_t index) const = 0;  ///< in [0, size())
  /// At most `k` > 0 facts, the nearest first.
  virtual std::vector<Found> find(const std::string& question, int64_t k) const = 0;
  /// What a fact has to fulfil to be found, to be told where none is.
  virtual std::string condition() const = 0;
  /// Adds a fact. `subject`: what it is about, in any language; empty: nobody says.
  virtual void remember(const MemoryFact& fact, const std::string& subject) = 0;
  /// Makes durable what is remembered, where there is a file for it.
  virtual void save() {}
};

/// A fact, and in which words it may be asked for.
struct WordedFact {
  struct Wording {
    std::string question;
    std::string subject;  ///< empty: none
  };
  MemoryFact fact;
  std::vector<Wording> wordings;
};

/// By letters alone (QuestionIndex).
class LetterFinder final : public FactFinder {
 public:
  explicit LetterFinder(const std::vector<WordedFact>& facts);
  int64_t size() const override;
  const MemoryFact& fact(int64_t index) const override;
  std::vector<Found> find(const std::string& question, int64_t k) const override;
  std::string condition() const override;
  void remember(const MemoryFact& fact, const std::string& subject) override;

 private:
  QuestionIndex index_;
  std::vector<MemoryFact> facts_;
};

/// What stands before texts that are embedded.
struct EncoderPrefixes {
  std::string query, document;
};

/// By embeddings of the questions of facts.
class EncoderFinder final : public FactFinder {
 public:
  /// `memory` holds embeddings of `encoder`. Facts of a smaller cosine than `threshold` are not
  /// found.
  EncoderFinder(SentenceEncoder encoder, EncoderPrefixes prefixes, EditMemory memory,
                std::optional<double> threshold);
  int64_t size() const override;
  const MemoryFact& fact(int64_t index) const override;
  std::vector<Found> find(const std::string& question, int64_t k) const override;
  std::string condition() const override;
  void remember(const MemoryFact& fact, const std::string& subject) override;
  void save() override;

 private:
  SentenceEncoder encoder_;
  EncoderPrefixes prefixes_;
  EditMemory memory_;
  FactIndex index_;
  float threshold_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_FACT_FINDER_H_
