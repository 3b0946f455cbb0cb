#ifndef XKDE_TESTS_DISTRIBUTED_MEMORY_SEARCH_MEMORY_SEARCH_SUPPORT_H_
#define XKDE_TESTS_DISTRIBUTED_MEMORY_SEARCH_MEMORY_SEARCH_SUPPORT_H_

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "core/memory/embed_texts.h"
#include "core/memory/fact_index.h"
#include "distributed/comm/communicator.h"
#include "distributed/memory_search/embed_texts.h"
#include "distributed/memory_search/fact_search.h"

namespace xkde::dist {

inline at::Tensor noise(int64_t rows, int64_t width, uint64_t seed) {
  return at::randn({rows, width}, at::detail::createCPUGenerator(seed), at::kFloat);
}

/// Searches one list of facts, some of them there several times, by all ranks and by one index.
inline void expect_search_of_one_index(Communicator& comm) {
  constexpr int64_t kFacts = 4000;
  const at::Tensor some = noise(kFacts / 2, 32, 1);
  const at::Tensor facts = at::cat({some, some});
  const at::Tensor queries = noise(20, 32, 2);
  std::vector<FactRange> ranges;
  for (int64_t i = 0; i < 20; ++i) ranges.push_back({100 * i, kFacts - 50 * i});
  FactIndex index(32);
  index.append(facts);
  const FactIndexOptions options{.codes_from = 1};
  const auto [begin, end] = FactSearch::share(kFacts, comm.rank(), comm.size());

  const FactSearch search(facts.narrow(0, begin, end - begin), comm, options);

  EXPECT_EQ(search.size(), kFacts);
  EXPECT_EQ(search.first(), begin);
  EXPECT_EQ(search.top_k(queries, 5, ranges), index.top_k(queries, 5, ranges));
  EXPECT_EQ(search.top_k(queries, 50, ranges, 0.4F), index.top_k(queries, 50, ranges, 0.4F));
}

/// Embeds one list of texts, some of them there several times, by all ranks and by this one.
inline void expect_embeddings_of_one_rank(Communicator& comm) {
  const SentenceEncoder encoder =
      SentenceEncoder::open(XKDE_SOURCE_DIR "/tests/golden/encoders/bert");
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    texts.push_back("the bridge " + std::string(static_cast<size_t>(i % 97), 'x') + " of velia");
  }

  const at::Tensor rows = embed_texts(encoder, texts, comm);

  EXPECT_TRUE(rows.equal(xkde::embed_texts(encoder, texts)));
  EXPECT_TRUE(rows[1].equal(rows[98]));
  EXPECT_EQ(embed_texts(encoder, {}, comm).size(0), 0);
}

}  // namespace xkde::dist

#endif  // XKDE_TESTS_DISTRIBUTED_MEMORY_SEARCH_MEMORY_SEARCH_SUPPORT_H_
