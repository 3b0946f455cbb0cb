xkde_add_test(cpu_reduce_test TORCH SOURCES cpu_reduce_test.cpp LINKS xkde_comm LABELS unit)
xkde_add_test(thread_communicator_test TORCH SOURCES thread_communicator_test.cpp
  LINKS xkde_comm LABELS unit TIMEOUT 120)
xkde_add_test(mpi_communicator_test TORCH OWN_MAIN
  SOURCES mpi_communicator_test.cpp mpi_test_main.cpp
  LINKS xkde_comm LABELS ranks RANKS 1 2 3 4 TIMEOUT 120)
xkde_add_test(gpu_of_rank_test SOURCES gpu_of_rank_test.cpp LINKS xkde_comm LABELS unit)
xkde_add_test(arrival_board_test TORCH OWN_MAIN
  SOURCES arrival_board_test.cpp mpi_test_main.cpp
  LINKS xkde_comm LABELS ranks RANKS 1 3 TIMEOUT 60)
xkde_add_test(nccl_communicator_test TORCH OWN_MAIN
  SOURCES nccl_communicator_test.cpp mpi_test_main.cpp
  LINKS xkde_comm LABELS gpu RANKS 1 2 TIMEOUT 300)
# The environment without mpirun: one rank.
add_test(NAME mpi_communicator_test_alone COMMAND mpi_communicator_test)
set_tests_properties(mpi_communicator_test_alone PROPERTIES LABELS ranks TIMEOUT 60)
