set(comm_sources
  arrival_board.cpp collective_call.cpp cpu_reduce.cpp gpu_of_rank.cpp shared_memory.cpp
  shared_segment.cpp thread_communicator.cpp
  mpi_handles.cpp mpi_environment.cpp mpi_communicator.cpp mpi_communicator_messages.cpp)
if(XKDE_NCCL_INCLUDE AND XKDE_CUDART_INCLUDE)
  list(APPEND comm_sources nccl_guard.cpp nccl_communicator.cpp)
else()
  message(STATUS "NCCL headers not found: the nccl backend is left out")
  list(APPEND comm_sources nccl_communicator_absent.cpp)
endif()
xkde_add_library(xkde_comm TORCH SOURCES ${comm_sources} LINKS xkde_base xkde_mpi)
target_link_libraries(xkde_comm PUBLIC ${CMAKE_DL_LIBS})
if(XKDE_NCCL_INCLUDE AND XKDE_CUDART_INCLUDE)
  target_include_directories(xkde_comm SYSTEM PRIVATE ${XKDE_NCCL_INCLUDE} ${XKDE_CUDART_INCLUDE})
endif()
