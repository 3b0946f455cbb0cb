#ifndef XKDE_TESTS_DISTRIBUTED_COMM_COMMUNICATOR_SUITE_H_
#define XKDE_TESTS_DISTRIBUTED_COMM_COMMUNICATOR_SUITE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/comm/communicator.h"
#include "tests/support/message_of.h"

namespace xkde::dist {

using test::message_of;

/// The claims of communicator.h, for any backend. A backend is a type with
///   static void run(const std::function<void(Communicator&)>&, double timeout_s);  // fresh group
///   static at::Device device();
///   static constexpr bool kChecksCalls;  // a mismatch is seen before data moves
///   static std::string why_not();        // the reason to skip, or empty
template <typename Backend>
class CommunicatorSuite : public ::testing::Test {
 protected:
  using Run = std::function<void(Communicator&)>;

  void SetUp() override {
    const std::string reason = Backend::why_not();
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
  void run(const Run& run, double timeout_s = 60) { Backend::run(run, timeout_s); }

  /// Values of one rank whose fp32 sum depends on the order of the ranks.
  static at::Tensor values(int rank, int64_t numel, at::ScalarType dtype) {
    auto wave = at::remainder(at::arange(numel, at::kDouble), 1009).add_(0.37 * rank - 500);
    wave.mul_(std::pow(10.0, rank % 3) / (rank + 3));
    return wave.to(dtype);
  }

  static at::Tensor on_device(const at::Tensor& tensor) { return tensor.to(Backend::device()); }

  /// What the contract promises, computed without any communication.
  static at::Tensor reduced(int size, int64_t numel, at::ScalarType dtype, ReduceOp op,
                            at::ScalarType result_dtype) {
    const auto wide = dtype == at::kBFloat16 ? at::kFloat : dtype;
    auto result = values(0, numel, dtype).to(wide);
    for (int r = 1; r < size; ++r) {
      const auto next = values(r, numel, dtype).to(wide);
      result = op == ReduceOp::kSum ? result + next : at::maximum(result, next);
    }
    return result.to(result_dtype);
  }

  static std::vector<int64_t> sizes() { return {0, 1, 7, 1000, 400'009}; }
  static std::vector<at::ScalarType> dtypes() {
    return {at::kFloat, at::kBFloat16, at::kDouble, at::kLong};
  }
};

/// Bit for bit, on the CPU.
inline ::testing::AssertionResult same_bits(const at::Tensor& found, const at::Tensor& expected) {
  const auto a = found.cpu();
  if (a.sizes() != expected.sizes() || a.scalar_type() != expected.scalar_type()) {
    return ::testing::AssertionFailure() << "found " << a.toString() << a.sizes() << ", expected "
                                         << expected.toString() << expected.sizes();
  }
  if (at::equal(a, expected)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "values differ";
}

TYPED_TEST_SUITE_P(CommunicatorSuite);

TYPED_TEST_P(CommunicatorSuite, AllReduceEqualsRankOrderBitForBit) {
  this->run([this](Communicator& comm) {
    for (const auto dtype : this->dtypes()) {
      for (const auto op : {ReduceOp::kSum, ReduceOp::kMax}) {
        for (const int64_t numel : this->sizes()) {
          auto tensor = this->on_device(this->values(comm.rank(), numel, dtype));

          comm.all_reduce(tensor, op)->wait();

          EXPECT_TRUE(same_bits(tensor, this->reduced(comm.size(), numel, dtype, op, dtype)))
              << numel << " of " << c10::toString(dtype);
        }
      }
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, ReduceScatterGivesOwnSliceBitForBit) {
  this->run([this](Communicator& comm) {
    for (const auto dtype : this->dtypes()) {
      for (const int64_t numel : this->sizes()) {
        const int64_t total = numel * comm.size();
        const auto full = this->on_device(this->values(comm.rank(), total, dtype));
        auto shard = at::zeros({numel}, full.options());

        comm.reduce_scatter(shard, full, ReduceOp::kSum)->wait();

        const auto expected = this->reduced(comm.size(), total, dtype, ReduceOp::kSum, dtype);
        EXPECT_TRUE(same_bits(shard, expected.narrow(0, comm.rank() * numel, numel)))
            << numel << " of " << c10::toString(dtype);
      }
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, ReduceScatterOfBf16IntoFp32IsNotRounded) {
  this->run([this](Communicator& comm) {
    const int64_t numel = 70'001;
    const int64_t total = numel * comm.size();
    const auto full = this->on_device(this->values(comm.rank(), total, at::kBFloat16));
    auto shard = at::zeros({numel}, full.options().dtype(at::kFloat));

    comm.reduce_scatter(shard, full, ReduceOp::kSum)->wait();

    const auto expected =
        this->reduced(comm.size(), total, at::kBFloat16, ReduceOp::kSum, at::kFloat);
    EXPECT_TRUE(same_bits(shard, expected.narrow(0, comm.rank() * numel, numel)));
  });
}

TYPED_TEST_P(CommunicatorSuite, ReduceScatterMayWriteItsOwnSlice) {
  this->run([this](Communicator& comm) {
    const int64_t numel = 100'003;
    const int64_t total = numel * comm.size();
    auto full = this->on_device(this->values(comm.rank(), total, at::kFloat));
    auto shard = full.narrow(0, comm.rank() * numel, numel);

    comm.reduce_scatter(shard, full, ReduceOp::kMax)->wait();

    const auto expected = this->reduced(comm.size(), total, at::kFloat, ReduceOp::kMax, at::kFloat);
    EXPECT_TRUE(same_bits(shard, expected.narrow(0, comm.rank() * numel, numel)));
  });
}

TYPED_TEST_P(CommunicatorSuite, AllGatherJoinsShardsInRankOrder) {
  this->run([this](Communicator& comm) {
    for (const auto dtype : this->dtypes()) {
      for (const int64_t numel : this->sizes()) {
        std::vector<at::Tensor> parts;
        for (int r = 0; r < comm.size(); ++r) parts.push_back(this->values(r, numel, dtype));
        const auto shard = this->on_device(parts[static_cast<size_t>(comm.rank())]);
        auto full = at::zeros({numel * comm.size()}, shard.options());

        comm.all_gather(full, shard)->wait();

        EXPECT_TRUE(same_bits(full, at::cat(parts))) << numel << " of " << c10::toString(dtype);
      }
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, AllGatherTakesShardInPlace) {
  this->run([this](Communicator& comm) {
    const int64_t numel = 333'333;
    std::vector<at::Tensor> parts;
    for (int r = 0; r < comm.size(); ++r) parts.push_back(this->values(r, numel, at::kFloat));
    auto full = this->on_device(at::zeros({numel * comm.size()}, at::kFloat));
    auto shard = full.narrow(0, comm.rank() * numel, numel);
    shard.copy_(parts[static_cast<size_t>(comm.rank())]);

    comm.all_gather(full, shard)->wait();

    EXPECT_TRUE(same_bits(full, at::cat(parts)));
  });
}

TYPED_TEST_P(CommunicatorSuite, BroadcastCopiesTensorOfEachRoot) {
  this->run([this](Communicator& comm) {
    for (int root = 0; root < comm.size(); ++root) {
      for (const int64_t numel : this->sizes()) {
        auto tensor = this->on_device(this->values(comm.rank(), numel, at::kBFloat16));

        comm.broadcast(tensor, root)->wait();

        EXPECT_TRUE(same_bits(tensor, this->values(root, numel, at::kBFloat16)));
      }
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, RepeatedRunsGiveEqualBits) {
  this->run([this](Communicator& comm) {
    const auto input = this->on_device(this->values(comm.rank(), 250'007, at::kFloat));
    auto first = input.clone();
    comm.all_reduce(first, ReduceOp::kSum)->wait();
    const auto expected = first.cpu();
    for (int i = 0; i < 5; ++i) {
      auto again = input.clone();

      comm.all_reduce(again, ReduceOp::kSum)->wait();

      EXPECT_TRUE(same_bits(again, expected));
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, MaxKeepsNan) {
  this->run([this](Communicator& comm) {
    auto tensor = at::full({3}, static_cast<double>(comm.rank()), at::kFloat);
    if (comm.rank() == comm.size() - 1) tensor[1] = std::numeric_limits<float>::quiet_NaN();
    tensor = this->on_device(tensor);

    comm.all_reduce(tensor, ReduceOp::kMax)->wait();

    const auto result = tensor.cpu();
    EXPECT_EQ(result[0].item<float>(), static_cast<float>(comm.size() - 1));
    EXPECT_TRUE(std::isnan(result[1].item<float>()));
  });
}

TYPED_TEST_P(CommunicatorSuite, ByteListsComeInRankOrder) {
  this->run([](Communicator& comm) {
    for (const size_t unit : {size_t{0}, size_t{1}, size_t{400'000}}) {
      // Rank 0 sends nothing, the others more and more.
      const auto text = [unit](int r) {
        return std::string(unit * static_cast<size_t>(r), static_cast<char>('a' + r));
      };

      const auto all = comm.all_gather_bytes(text(comm.rank()));

      ASSERT_EQ(all.size(), static_cast<size_t>(comm.size()));
      for (int r = 0; r < comm.size(); ++r) EXPECT_EQ(all[static_cast<size_t>(r)], text(r));
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, BroadcastBytesKeepsZeroBytesAndLength) {
  this->run([](Communicator& comm) {
    for (int root = 0; root < comm.size(); ++root) {
      for (const size_t length : {size_t{0}, size_t{5}, size_t{900'001}}) {
        const std::string expected(length, '\0');
        const std::string own = comm.rank() == root ? expected : "ignored, whatever its length";

        EXPECT_EQ(comm.broadcast_bytes(own, root), expected);
      }
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, TicketsAreUniqueAndComplete) {
  this->run([](Communicator& comm) {
    constexpr int64_t kTickets = 60;
    for (int round = 0; round < 2; ++round) {
      comm.reset_counter();
      std::string own;
      for (int64_t ticket = comm.next_ticket(); ticket < kTickets; ticket = comm.next_ticket()) {
        own.push_back(static_cast<char>(ticket));
      }

      std::string all;
      for (const auto& part : comm.all_gather_bytes(own)) all += part;

      std::sort(all.begin(), all.end());
      ASSERT_EQ(all.size(), static_cast<size_t>(kTickets));
      for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<char>(i));
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, BarrierOrdersAllRanks) {
  this->run([](Communicator& comm) {
    comm.reset_counter();
    for (int64_t round = 0; round < 20; ++round) {
      const int64_t ticket = comm.next_ticket();
      EXPECT_GE(ticket, round * comm.size());
      EXPECT_LT(ticket, (round + 1) * comm.size());
      comm.barrier();
    }
  });
}

TYPED_TEST_P(CommunicatorSuite, ColorsPartAGroupInRankOrder) {
  this->run([this](Communicator& comm) {
    const int color = comm.rank() % 2;
    const auto part = comm.split(color, "color " + std::to_string(color));
    auto sum = this->on_device(at::full({4}, comm.rank(), at::kLong));

    part->all_reduce(sum, ReduceOp::kSum)->wait();

    int64_t expected = 0;
    for (int r = color; r < comm.size(); r += 2) expected += r;
    EXPECT_EQ(sum.cpu()[3].template item<int64_t>(), expected);
    EXPECT_EQ(part->rank(), comm.rank() / 2);
    EXPECT_EQ(part->size(), (comm.size() + 1 - color) / 2);
    EXPECT_EQ(part->backend(), comm.backend());
    auto all = this->on_device(at::ones({1}, at::kLong));
    comm.all_reduce(all, ReduceOp::kSum)->wait();
    EXPECT_EQ(all.cpu()[0].template item<int64_t>(), comm.size());
  });
}

TYPED_TEST_P(CommunicatorSuite, MismatchedSizesAreNamed) {
  if (!TypeParam::kChecksCalls) GTEST_SKIP() << "this backend does not compare calls";
  this->run([this](Communicator& comm) {
    if (comm.size() == 1) return;
    auto tensor = this->on_device(at::ones({comm.rank() == 1 ? 20 : 10}, at::kFloat));
    comm.barrier();

    const auto message =
        message_of<CommError>([&] { (void)comm.all_reduce(tensor, ReduceOp::kSum); });

    EXPECT_THAT(message, ::testing::HasSubstr(
                             "collective #2: rank 1 called all_reduce(Float, 20 elements, sum) "
                             "where rank 0 called all_reduce(Float, 10 elements, sum)"));
    EXPECT_THAT(message_of<CommError>([&] { comm.barrier(); }), ::testing::Eq(message));
  });
}

TYPED_TEST_P(CommunicatorSuite, MismatchedOperationsAreNamed) {
  if (!TypeParam::kChecksCalls) GTEST_SKIP() << "this backend does not compare calls";
  this->run([this](Communicator& comm) {
    if (comm.size() == 1) return;
    auto tensor = this->on_device(at::ones({8}, at::kBFloat16));

    const auto message = message_of<CommError>([&] {
      if (comm.rank() == 0) {
        comm.barrier();
      } else {
        (void)comm.broadcast(tensor, 0);
      }
    });

    EXPECT_THAT(message, ::testing::HasSubstr("rank 1 called broadcast(BFloat16, 8 elements, "
                                              "root 0) where rank 0 called barrier()"));
  });
}

TYPED_TEST_P(CommunicatorSuite, ArgumentsThatOnlyABugGivesAreRefused) {
  this->run([this](Communicator& comm) {
    using ::testing::HasSubstr;
    auto full = this->on_device(at::ones({2 * comm.size(), 2}, at::kFloat));
    auto shard = this->on_device(at::ones({3}, at::kFloat));
    const auto refusal = [](const std::function<void()>& action) {
      return message_of<InternalError>(action);
    };

    EXPECT_THAT(refusal([&] { (void)comm.all_gather(full, shard); }),
                HasSubstr("all_gather: full: expected"));
    EXPECT_THAT(refusal([&] { (void)comm.all_reduce(full.t(), ReduceOp::kSum); }),
                HasSubstr("all_reduce: tensor is not contiguous"));
    EXPECT_THAT(refusal([&] { (void)comm.all_reduce(shard.to(at::kInt), ReduceOp::kSum); }),
                HasSubstr("expected fp32, bf16, fp64 or int64, found Int"));
    EXPECT_THAT(refusal([&] { (void)comm.broadcast(shard, comm.size()); }),
                HasSubstr("broadcast: root"));
    EXPECT_THAT(refusal([&] { (void)comm.all_reduce(at::Tensor(), ReduceOp::kSum); }),
                HasSubstr("all_reduce: tensor is undefined"));
    if (comm.size() > 1) {
      auto flat = this->on_device(at::ones({4 * comm.size()}, at::kFloat));
      auto other = flat.narrow(0, 4 * ((comm.rank() + 1) % comm.size()), 4);
      EXPECT_THAT(refusal([&] { (void)comm.all_gather(flat, other); }),
                  HasSubstr("shard overlaps full"));
    }
    comm.barrier();  // a refused call leaves the group usable
  });
}

REGISTER_TYPED_TEST_SUITE_P(CommunicatorSuite, AllReduceEqualsRankOrderBitForBit,
                            ReduceScatterGivesOwnSliceBitForBit,
                            ReduceScatterOfBf16IntoFp32IsNotRounded,
                            ReduceScatterMayWriteItsOwnSlice, AllGatherJoinsShardsInRankOrder,
                            AllGatherTakesShardInPlace, BroadcastCopiesTensorOfEachRoot,
                            RepeatedRunsGiveEqualBits, MaxKeepsNan, ByteListsComeInRankOrder,
                            BroadcastBytesKeepsZeroBytesAndLength, TicketsAreUniqueAndComplete,
                            BarrierOrdersAllRanks, ColorsPartAGroupInRankOrder,
                            MismatchedSizesAreNamed, MismatchedOperationsAreNamed,
                            ArgumentsThatOnlyABugGivesAreRefused);

}  // namespace xkde::dist

#endif  // XKDE_TESTS_DISTRIBUTED_COMM_COMMUNICATOR_SUITE_H_
