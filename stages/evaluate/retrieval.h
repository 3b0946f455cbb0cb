#ifndef XKDE_STAGES_EVALUATE_RETRIEVAL_H_
#define XKDE_STAGES_EVALUATE_RETRIEVAL_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/model/encoders/sentence_encoder.h"
#include "distributed/memory_search/fact_search.h"
#include "stages/evaluate/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// Finds what is nearest to a question in an edit memory (protocol 7.1): cosine of the embeddings
/// of the raw questions; a fact is embedded by its question, without the answer. A text is embedded
/// once, and its embedding does not depend on the number of ranks. Every method is collective and
/// gives all ranks the same.
class EvalRetriever {
 public:
  /// `keys` and `context` outlive the retriever. Throws as SentenceEncoder::open.
  EvalRetriever(const RetrieverKeys& keys, RunContext& context);

  /// What the memory of each moment gives for each question of its edit.
  Retrieved facts(const EvalInputs& inputs, const std::vector<EditMoment>& moments);
  /// What stands before the fact of each edit of each stream: the examples on the shelf of the
  /// edit's language pair that are nearest to the method's query, best first (protocol 2.3, 2.4,
  /// 6.7). The options have demonstrations, and their method shows them.
  std::vector<std::vector<std::string>> demonstrations(const EvalOptions& options,
                                                       const EvalInputs& inputs);
  /// Of the embeddings that this rank searches.
  int64_t searched_bytes() const noexcept { return searched_bytes_; }

 private:
  /// Normalised embeddings, fp32 [N, D] in the order of `texts`.
  at::Tensor embed(const std::vector<std::string>& texts);
  at::Tensor embed_queries(const std::vector<std::string>& texts);
  at::Tensor embed_documents(const std::vector<std::string>& texts);
  /// Over these, of which each rank keeps its share.
  dist::FactSearch search(const at::Tensor& embeddings);

  const RetrieverKeys& keys_;
  RunContext& context_;
  SentenceEncoder encoder_;
  int64_t searched_bytes_ = 0;
  std::unordered_map<std::string, at::Tensor> known_;  ///< embedded so far
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_RETRIEVAL_H_
