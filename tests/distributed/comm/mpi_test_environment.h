#ifndef XKDE_TESTS_DISTRIBUTED_COMM_MPI_TEST_ENVIRONMENT_H_
#define XKDE_TESTS_DISTRIBUTED_COMM_MPI_TEST_ENVIRONMENT_H_

#include "distributed/comm/mpi_environment.h"

namespace xkde::dist {

/// The MPI of this test program, made by mpi_test_main.cpp before the first test.
MpiEnvironment& mpi_test_environment();

}  // namespace xkde::dist

#endif  // XKDE_TESTS_DISTRIBUTED_COMM_MPI_TEST_ENVIRONMENT_H_
