#include "distributed/comm/typed_gather.h"

#include <array>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/comm/agreement.h"
#include "distributed/comm/thread_communicator.h"

namespace xkde::dist {
namespace {

using ::testing::ElementsAre;

enum class Colour : int8_t { kRed, kGreen, kBlue };

struct Figures {
  double loss = 0.0;
  int64_t tokens = 0;
  bool is_done = false;
};

static_assert(PlainMemory<Colour> && PlainMemory<Figures> && PlainMemory<std::array<char, 64>>);
static_assert(!PlainMemory<const char*> && !PlainMemory<std::string_view>);

TEST(TypedGather, NumbersEnumsAndStructsComeInRankOrder) {
  run_ranks(3, [](Communicator& comm) {
    const auto colours = gather(comm, static_cast<Colour>(comm.rank()));
    const auto figures = gather(comm, Figures{.loss = 0.1 * comm.rank(), .is_done = true});

    EXPECT_THAT(colours, ElementsAre(Colour::kRed, Colour::kGreen, Colour::kBlue));
    EXPECT_EQ(figures.at(2).loss, 0.1 * 2);
    EXPECT_TRUE(figures.at(2).is_done);
  });
}

TEST(TypedGather, VectorsMayBeOfAnotherSizeOnEachRank) {
  run_ranks(3, [](Communicator& comm) {
    const std::vector<int64_t> own(static_cast<size_t>(comm.rank()), comm.rank());

    EXPECT_THAT(gather(comm, own), ElementsAre(ElementsAre(), ElementsAre(1), ElementsAre(2, 2)));
  });
}

TEST(TypedGather, TextsKeepTheirZeroBytesAndLengths) {
  run_ranks(2, [](Communicator& comm) {
    const std::vector<std::string> texts{"", std::string("a\0b", 3), "知识"};

    EXPECT_EQ(broadcast(comm, comm.rank() == 1 ? texts : std::vector<std::string>{"x"}, 1), texts);
    EXPECT_THAT(broadcast(comm, std::vector<std::string>{}), ElementsAre());
    EXPECT_THAT(gather(comm, std::to_string(comm.rank())), ElementsAre("0", "1"));
  });
}

TEST(TypedGather, BroadcastLooksAtTheRootOnly) {
  run_ranks(3, [](Communicator& comm) {
    EXPECT_EQ(broadcast(comm, comm.rank(), 2), 2);
    EXPECT_THAT(broadcast(comm, std::vector<double>(static_cast<size_t>(comm.rank()) + 1, 0.5)),
                ElementsAre(0.5));
  });
}

TEST(TypedGather, SumsAreAddedInRankOrder) {
  run_ranks(3, [](Communicator& comm) {
    const double value = comm.rank() == 0 ? 1e16 : 1.0;

    EXPECT_EQ(sum_of_ranks(comm, value), 1e16 + 1.0 + 1.0);
    EXPECT_EQ(largest_of_ranks(comm, comm.rank() * 7), 14);
  });
}

TEST(TypedGather, ValuesOfAnotherTypeAreNamedByTheirBytes) {
  EXPECT_THROW(HostBytes<int64_t>::from("1234"), InternalError);
  EXPECT_THROW(HostBytes<std::vector<int32_t>>::from("12345"), InternalError);
  EXPECT_THROW(HostBytes<std::vector<std::string>>::from("12345"), InternalError);
}

TEST(Agreement, OfManyTextsAFewAreTold) {
  run_ranks(6, [](Communicator& comm) {
    std::string told = "no error";
    try {
      agree_on(comm, [&] { throw IoError(concat("disk ", comm.rank())); });
    } catch (const IoError& error) {
      told = error.what();
    }

    EXPECT_EQ(told,
              "disk 0; rank 1: disk 1; rank 2: disk 2; rank 3: disk 3; and 2 more ranks with "
              "other texts");
  });
}

TEST(Agreement, ResultsKeepTheirType) {
  run_ranks(2, [](Communicator& comm) {
    EXPECT_THAT(agree(comm, [&] { return comm.rank() + 1; }), ElementsAre(1, 2));
  });
}

TEST(Agreement, EveryRankThrowsTheErrorOfTheFirstThatFailed) {
  run_ranks(8, [](Communicator& comm) {
    const auto refuse = [&]() -> int64_t {
      XKDE_CHECK(comm.rank() == 0, ConfigError, comm.rank() / 2, " says no");
      return 0;
    };

    try {
      agree(comm, refuse);
      ADD_FAILURE() << "no error";
    } catch (const ConfigError& error) {
      EXPECT_STREQ(error.what(),
                   "0 says no; rank 2: 1 says no; rank 4: 2 says no; rank 6: 3 says no");
    }
  });
}

}  // namespace
}  // namespace xkde::dist
