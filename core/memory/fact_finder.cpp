#include "core/memory/fact_finder.h"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/memory/embed_texts.h"

namespace xkde {

LetterFinder::LetterFinder(const std::vector<WordedFact>& facts) {
  for (const WordedFact& one : facts) {
    for (const auto& [question, subject] : one.wordings) index_.add(size(), question, subject);
    facts_.push_back(one.fact);
  }
}

int64_t LetterFinder::size() const { return std::ssize(facts_); }

const MemoryFact& LetterFinder::fact(int64_t index) const {
  return facts_[static_cast<size_t>(index)];
}

std::vector<FactFinder::Found> LetterFinder::find(const std::string& question, int64_t k) const {
  std::vector<Found> found;
  for (const auto& [number, cosine] : index_.find(question, static_cast<size_t>(k)))
    found.push_back({number, fact(number), cosine});
  return found;
}

std::string LetterFinder::condition() const {
  return fmt::format(
      "without an encoder a fact is shown where the question names its subject or, where it has "
      "none, is nearly its own question: a cosine of at least {:.2f}",
      QuestionIndex::kLeastCosine);
}

void LetterFinder::remember(const MemoryFact& fact, const std::string& subject) {
  index_.add(size(), fact.prompt, subject);
  facts_.push_back(fact);
}

EncoderFinder::EncoderFinder(SentenceEncoder encoder, EncoderPrefixes prefixes, EditMemory memory,
                             std::optional<double> threshold)
    : encoder_(std::move(encoder)),
      prefixes_(std::move(prefixes)),
      memory_(std::move(memory)),
      index_(encoder_.width()),
      threshold_(threshold ? static_cast<float>(*threshold)
                           : -std::numeric_limits<float>::infinity()) {
  if (memory_.size() > 0) index_.append(memory_.embeddings());
}

int64_t EncoderFinder::size() const { return memory_.size(); }

const MemoryFact& EncoderFinder::fact(int64_t index) const { return memory_.fact(index); }

std::vector<FactFinder::Found> EncoderFinder::find(const std::string& question, int64_t k) const {
  std::vector<Found> found;
  if (size() == 0) return found;
  const at::Tensor query =
      embed_texts(encoder_, SentenceEncoder::prompted(prefixes_.query, {&question, 1}));
  const std::vector<Hit> hits = index_.top_k(query, k, threshold_).front();
  for (const Hit& hit : hits)
    found.push_back({hit.fact, fact(hit.fact), static_cast<double>(hit.score)});
  return found;
}

std::string EncoderFinder::condition() const {
  if (std::isinf(threshold_)) return "the nearest facts are shown, however near they are";
  return fmt::format("a fact is shown where its cosine is at least {:g}", threshold_);
}

void EncoderFinder::remember(const MemoryFact& fact, const std::string& /*subject*/) {
  const at::Tensor embedding =
      embed_texts(encoder_, SentenceEncoder::prompted(prefixes_.document, {&fact.prompt, 1}));
  memory_.append(std::vector<MemoryFact>{fact}, embedding);
  index_.append(embedding);
}

void EncoderFinder::save() { memory_.save(); }

}  // namespace xkde
