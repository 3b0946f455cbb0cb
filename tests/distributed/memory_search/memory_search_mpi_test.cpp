#include <gtest/gtest.h>

#include "distributed/comm/mpi_communicator.h"
#include "tests/distributed/comm/mpi_test_environment.h"
#include "tests/distributed/memory_search/memory_search_support.h"

namespace xkde::dist {
namespace {

TEST(MemorySearchMpi, FindsWhatOneIndexFinds) {
  const auto comm = make_mpi_communicator(mpi_test_environment());
  expect_search_of_one_index(*comm);
}

TEST(MemorySearchMpi, EmbedsWhatOneRankEmbeds) {
  const auto comm = make_mpi_communicator(mpi_test_environment());
  expect_embeddings_of_one_rank(*comm);
}

}  // namespace
}  // namespace xkde::dist
