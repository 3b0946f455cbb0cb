#ifndef XKDE_CORE_EDIT_QUADRANTS_H_
#define XKDE_CORE_EDIT_QUADRANTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/language.h"
#include "core/edit/build_data.h"
#include "core/edit/edit_case.h"
#include "core/edit/lexical_index.h"

namespace xkde {

/// What a sample teaches (protocol 3.3): a question in or out of the edit's scope, asked with the
/// edit in the prompt or bare.
enum class Quadrant { kInWithEdit, kInWithoutEdit, kOutWithEdit, kOutWithoutEdit };
inline constexpr size_t kQuadrants = 4;
/// "in_with_edit" and so on, as ids end.
std::string_view quadrant_name(Quadrant quadrant);

/// Shares are from 0 to 1.
struct QuadrantOptions {
  /// Shares of prompts with 0, 1, 2, ... distractors; they add up to 1.
  std::vector<double> distractors{0.5, 0.25, 0.25};
  double in_scope_share = 0.5;     ///< of the samples of a pair
  double with_edit_share = 0.5;    ///< of the samples of a scope of a pair
  double monolingual_share = 0.5;  ///< of all samples
  double src_share = 0.3;          ///< of the in-scope questions that are src or rephrase
  double portability_share = 0.0;  ///< of the in-scope questions, where a record has one
  int64_t samples_per_pair = 0;    ///< at most, of each source and language pair; 0: all
  int64_t max_samples = 0;         ///< at most, of all, each pair keeping its share; 0: all
  uint64_t seed = 0;
  PromptLanguage prompt_language = PromptLanguage::kTest;
  SearchMaker search = lexical_search;  ///< where distractors come from
};

/// The records of one source in one language pair.
struct CaseSet {
  std::string source;
  Language edit;
  Language test;
  std::vector<EditCase> cases;
};

/// Counts of samples by what they are, and of what is not there by reason.
struct QuadrantStatistics {
  std::map<std::string, int64_t> sources;
  std::map<std::string, int64_t> pairs;  ///< "enzh"
  std::map<std::string, int64_t> quadrants;
  std::map<std::string, int64_t> facts;  ///< in the prompt: "0" without the edit
  std::map<std::string, int64_t> skipped;
};

struct QuadrantSamples {
  std::vector<TrainingExample> examples;
  QuadrantStatistics statistics;
};

/// Samples in the order of the sets. Of each set records are visited in a random order; a visit
/// gives the sample of each quadrant that the record has, all with the same facts and the same
/// question of each scope:
/// - facts: the true one first, then distractors drawn from those of its kNeighbours nearest facts
///   in the set that have another subject and another text; none when these are too few;
/// - in scope: portability or src or rephrase by their shares, src where there is no rephrase.
///   Without the edit the answer is the old one: no sample where it is unknown or the question is
///   portability;
/// - out of scope: one of the locality questions.
/// What a share has too many of is thinned out at random, nothing is repeated. A share between two
/// kinds does not hold where a set (monolingual_share: the whole) has only one of them, unless it
/// is 0 or 1. Every draw depends on the seed, the set's position and pair and the record alone.
QuadrantSamples build_quadrants(const std::vector<CaseSet>& sets, const QuadrantOptions& options);

/// The nearest facts, the fact itself among them, of which distractors are drawn (protocol 3.1).
inline constexpr size_t kNeighbours = 5;

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_QUADRANTS_H_
