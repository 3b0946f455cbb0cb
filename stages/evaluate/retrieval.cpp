#include "stages/evaluate/retrieval.h"

#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>

#include "core/evaluate/demonstrations.h"
#include "distributed/memory_search/embed_texts.h"

namespace xkde::recipe {
namespace {

/// Questions asked of one stream, each pair of words and memory once.
class Queries {
 public:
  size_t add(const std::string& text, FactRange range) {
    const auto key = std::tuple(text, range.begin, range.end);
    const auto [place, is_new] = numbers_.emplace(key, texts.size());
    if (is_new) {
      texts.push_back(text);
      ranges.push_back(range);
    }
    return place->second;
  }
  std::vector<std::string> texts;
  std::vector<FactRange> ranges;

 private:
  std::map<std::tuple<std::string, int64_t, int64_t>, size_t> numbers_;
};

std::vector<std::string> questions_of(const EvalStream& stream) {
  std::vector<std::string> questions;
  for (const EvalEdit& edit : stream.edits) questions.push_back(edit.question);
  return questions;
}

}  // namespace

EvalRetriever::EvalRetriever(const RetrieverKeys& keys, RunContext& context)
    : keys_(keys), context_(context), encoder_(SentenceEncoder::open(keys.model_name_or_path)) {}

at::Tensor EvalRetriever::embed(const std::vector<std::string>& texts) {
  std::set<std::string> unknown;
  for (const std::string& text : texts) {
    if (!known_.contains(text)) unknown.insert(text);
  }
  const std::vector<std::string> fresh(unknown.begin(), unknown.end());
  if (!fresh.empty()) {
    const at::Tensor embeddings = dist::embed_texts(encoder_, fresh, context_.comm());
    for (size_t i = 0; i < fresh.size(); ++i)
      known_[fresh[i]] = embeddings[static_cast<int64_t>(i)];
  }
  std::vector<at::Tensor> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(known_.at(text));
  return at::stack(rows);
}

at::Tensor EvalRetriever::embed_queries(const std::vector<std::string>& texts) {
  const std::string& own = encoder_.prompt(SentenceEncoder::Role::kQuery);
  return embed(SentenceEncoder::prompted(keys_.query_prefix.value_or(own), texts));
}

at::Tensor EvalRetriever::embed_documents(const std::vector<std::string>& texts) {
  const std::string& own = encoder_.prompt(SentenceEncoder::Role::kDocument);
  return embed(SentenceEncoder::prompted(keys_.document_prefix.value_or(own), texts));
}

dist::FactSearch EvalRetriever::search(const at::Tensor& embeddings) {
  dist::Communicator& comm = context_.comm();
  const auto [first, last] = dist::FactSearch::share(embeddings.size(0), comm.rank(), comm.size());
  const at::Tensor own = embeddings.narrow(0, first, last - first);
  searched_bytes_ += static_cast<int64_t>(own.nbytes());
  return {own, comm};
}

Retrieved EvalRetriever::facts(const EvalInputs& inputs, const std::vector<EditMoment>& moments) {
  std::vector<Queries> queries(inputs.streams.size());
  std::vector<std::pair<size_t, size_t>> places;  // stream and query of each question
  for (const EditMoment& moment : moments) {
    const EvalStream& stream = inputs.streams[moment.stream];
    for (const EditQuestion& question : stream.edits[static_cast<size_t>(moment.edit)].asked) {
      places.emplace_back(moment.stream,
                          queries[moment.stream].add(question.whole_text(),
                                                     {moment.memory_begin, moment.memory_end}));
    }
  }
  std::vector<std::vector<std::vector<Hit>>> hits;
  for (size_t i = 0; i < inputs.streams.size(); ++i) {
    const dist::FactSearch memory = search(embed_documents(questions_of(inputs.streams[i])));
    const double least = keys_.threshold.value_or(-std::numeric_limits<double>::infinity());
    hits.push_back(memory.top_k(embed_queries(queries[i].texts), keys_.k, queries[i].ranges,
                                static_cast<float>(least)));
  }
  Retrieved retrieved;
  for (const auto& [stream, query] : places) {
    retrieved.emplace_back();
    for (const Hit& hit : hits[stream][query]) retrieved.back().push_back(hit.fact);
  }
  return retrieved;
}

std::vector<std::vector<std::string>> EvalRetriever::demonstrations(const EvalOptions& options,
                                                                    const EvalInputs& inputs) {
  const Demonstrator& demonstrator = *options.method->demonstrator();
  std::vector<Shelf> shelves;
  std::vector<dist::FactSearch> searches;
  for (const LanguagePair& pair : inputs.pairs) {
    shelves.push_back(
        read_shelf(*options.demonstrations, demonstrator, pair, context_.data().files));
    searches.push_back(search(embed_documents(shelves.back().keys)));
  }
  // The edits of a language pair are looked up together: one collective, and enough queries for
  // the search's fast path.
  std::vector<std::vector<std::string>> prefixes;
  std::vector<std::vector<at::Tensor>> queries(inputs.pairs.size());
  std::vector<std::vector<std::string*>> places(inputs.pairs.size());
  prefixes.reserve(inputs.streams.size());
  for (const EvalStream& stream : inputs.streams) {
    std::vector<std::string> keys;
    for (const EvalEdit& edit : stream.edits)
      keys.push_back(demonstrator.query({edit.question, edit.target}));
    const at::Tensor found_by = embed_queries(keys);
    std::vector<std::string>& of_stream = prefixes.emplace_back(stream.edits.size());
    for (size_t i = 0; i < stream.edits.size(); ++i) {
      queries[stream.pairs[i]].push_back(found_by[static_cast<int64_t>(i)]);
      places[stream.pairs[i]].push_back(&of_stream[i]);
    }
  }
  for (size_t pair = 0; pair < inputs.pairs.size(); ++pair) {
    if (queries[pair].empty()) continue;
    const std::vector<FactRange> all(queries[pair].size(), {0, searches[pair].size()});
    const auto hits =
        searches[pair].top_k(at::stack(queries[pair]), options.demonstrations->k, all);
    for (size_t i = 0; i < hits.size(); ++i) {
      for (const Hit& hit : hits[i])
        *places[pair][i] += shelves[pair].texts[static_cast<size_t>(hit.fact)];
    }
  }
  return prefixes;
}

}  // namespace xkde::recipe
