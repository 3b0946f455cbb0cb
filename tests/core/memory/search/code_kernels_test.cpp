#include "core/memory/search/code_kernels.h"

#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace xkde::codes {
namespace {

/// A chunk and queries of random codes, with limits that a few pairs pass.
struct Random {
  Random(int64_t segments, int64_t vectors, int seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    std::uniform_int_distribution<int> byte(1, 255);
    std::uniform_int_distribution<int> sign(-127, 127);
    std::uniform_real_distribution<float> unit(0.5F, 1.5F);
    const int64_t lanes = vectors * kLanes;
    for (int64_t i = 0; i < segments * kChunkFacts * kSegment; ++i) {
      codes.push_back(static_cast<uint8_t>(byte(random)));
    }
    for (int64_t i = 0; i < segments * kSegment * lanes; ++i) {
      queries.push_back(static_cast<int8_t>(sign(random)));
    }
    for (auto* values : {&scale, &error, &rest}) {
      for (int64_t i = 0; i < kChunkFacts; ++i) values->push_back(unit(random));
    }
    for (auto* values : {&error_factor, &rest_factor}) {
      for (int64_t i = 0; i < lanes; ++i) values->push_back(unit(random));
    }
    for (int64_t i = 0; i < lanes; ++i) {
      start.push_back(sign(random));
      limit.push_back(i % 5 == 4 ? std::numeric_limits<float>::infinity() : 1.5e5F);
    }
    call = {codes.data(),       scale.data(), error.data(), rest.data(),
            queries.data(),     start.data(), limit.data(), error_factor.data(),
            rest_factor.data(), segments,     vectors};
  }
  std::vector<Candidate> kept(const Kernels& kernels) const {
    std::vector<Candidate> out(static_cast<size_t>(kChunkFacts * kMostVectors * kLanes));
    out.resize(static_cast<size_t>(kernels.scan(call, out.data())));
    return out;
  }
  std::vector<uint8_t> codes;
  std::vector<int8_t> queries;
  std::vector<float> scale, error, rest, error_factor, rest_factor, limit;
  std::vector<int32_t> start;
  ScanCall call;
};

/// The definition in the header, one pair after the other.
std::vector<Candidate> by_definition(const ScanCall& call) {
  std::vector<Candidate> out;
  const int64_t lanes = call.vectors * kLanes;
  for (int64_t fact = 0; fact < kChunkFacts; ++fact) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int32_t dot = call.start[lane];
      for (int64_t i = 0; i < call.segments * kSegment; ++i) {
        const int64_t in_fact =
            i / kSegment * kChunkFacts * kSegment + fact * kSegment + i % kSegment;
        dot += call.codes[in_fact] * call.queries[(i / kQuad * lanes + lane) * kQuad + i % kQuad];
      }
      const float limit = call.limit[lane] - call.error[fact] * call.error_factor[lane] -
                          call.rest[fact] * call.rest_factor[lane];
      if (static_cast<float>(dot) * call.scale[fact] >= limit) {
        out.push_back({dot, static_cast<uint16_t>(fact), static_cast<uint16_t>(lane)});
      }
    }
  }
  return out;
}

class CodeKernels : public testing::TestWithParam<const Kernels*> {};

TEST_P(CodeKernels, KeepWhatTheDefinitionKeeps) {
  for (const int vectors : {1, 2, 3, 4}) {
    const Random random(/*segments=*/3, vectors, /*seed=*/vectors);

    const std::vector<Candidate> kept = random.kept(*GetParam());

    const std::vector<Candidate> expected = by_definition(random.call);
    EXPECT_GT(expected.size(), 50U);
    ASSERT_EQ(kept.size(), expected.size());
    for (size_t i = 0; i < kept.size(); ++i) {
      ASSERT_EQ(kept[i].fact, expected[i].fact);
      ASSERT_EQ(kept[i].lane, expected[i].lane);
      ASSERT_EQ(kept[i].dot, expected[i].dot);
    }
  }
}

TEST_P(CodeKernels, MultiplySegmentsOfOneFact) {
  const Random random(/*segments=*/3, /*vectors=*/1, /*seed=*/7);
  const uint8_t* fact = random.codes.data() + 5 * kSegment;
  int32_t expected = 0;
  for (int64_t i = 0; i < 2 * kSegment; ++i) {
    expected += fact[i / kSegment * kChunkFacts * kSegment + i % kSegment] *
                random.queries[static_cast<size_t>(i)];
  }

  EXPECT_EQ(GetParam()->dot(fact, random.queries.data(), 2), expected);
  EXPECT_EQ(GetParam()->dot(fact, random.queries.data(), 0), 0);
}

INSTANTIATE_TEST_SUITE_P(Sets, CodeKernels, testing::Values(&portable_kernels(), &best_kernels()),
                         [](const auto& suite) {
                           return suite.index == 0 ? std::string("Portable") : std::string("Best");
                         });

}  // namespace
}  // namespace xkde::codes
