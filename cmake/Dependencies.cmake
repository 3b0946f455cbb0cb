# Third-party packages, each as one imported target marked SYSTEM.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)

# Its package file names the trainer's library too, which we do not need.
find_path(XKDE_SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_library(XKDE_SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)
add_library(xkde_sentencepiece INTERFACE)
target_include_directories(xkde_sentencepiece SYSTEM INTERFACE ${XKDE_SENTENCEPIECE_INCLUDE})
target_link_libraries(xkde_sentencepiece INTERFACE ${XKDE_SENTENCEPIECE_LIBRARY})

# HDF5's C API; Debian puts it under hdf5/serial.
find_package(HDF5 REQUIRED COMPONENTS C)
add_library(xkde_hdf5 INTERFACE)
target_include_directories(xkde_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(xkde_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
target_compile_definitions(xkde_hdf5 INTERFACE ${HDF5_C_DEFINITIONS})

# OpenMPI's C API.
find_package(MPI REQUIRED COMPONENTS C)
add_library(xkde_mpi INTERFACE)
target_include_directories(xkde_mpi SYSTEM INTERFACE ${MPI_C_INCLUDE_DIRS} ${MPI_C_HEADER_DIR})
target_link_libraries(xkde_mpi INTERFACE ${MPI_C_LIBRARIES})
target_compile_definitions(xkde_mpi INTERFACE OMPI_SKIP_MPICXX)

# yaml-cpp 0.7 exports a plain library name without include directories.
add_library(xkde_yaml INTERFACE)
target_link_libraries(xkde_yaml INTERFACE yaml-cpp)

# LibTorch's wheel brings headers of another fmt and exports none of it; its folder is searched before
# /usr/include. This link, searched first, keeps all of our code with the fmt that is linked.
get_target_property(XKDE_FMT_INCLUDE fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT EXISTS "${XKDE_FMT_INCLUDE}/fmt/format.h")
  set(XKDE_FMT_INCLUDE /usr/include)
endif()
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/third_party")
file(CREATE_LINK "${XKDE_FMT_INCLUDE}/fmt" "${CMAKE_BINARY_DIR}/third_party/fmt" SYMBOLIC)

# LibTorch: any LibTorch folder on CMAKE_PREFIX_PATH, else the unpacked PyPI wheel. Its own package file
# wants nvcc when the wheel is a CUDA build, so the libraries are imported by hand.
find_path(XKDE_TORCH_ROOT include/ATen/ATen.h
  PATHS ${CMAKE_PREFIX_PATH} "${XKDE_DEPS_DIR}/python/torch" NO_DEFAULT_PATH
  DOC "LibTorch folder (holds include/ and lib/)")
if(NOT XKDE_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch not found: run launch/setup.sh, or set CMAKE_PREFIX_PATH to a LibTorch folder")
endif()
add_library(xkde_torch INTERFACE)
target_include_directories(xkde_torch SYSTEM INTERFACE
  "${XKDE_TORCH_ROOT}/include" "${XKDE_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_directories(xkde_torch INTERFACE "${XKDE_TORCH_ROOT}/lib")
# Programs of the build find it there; an installed one has an RPATH of its own (launch/install).
list(APPEND CMAKE_BUILD_RPATH "${XKDE_TORCH_ROOT}/lib")
# libc10 and Debian's libsentencepiece both have a variable FLAGS_minloglevel, of 4 and of 32 bytes, and the loader gives
# both libraries that of the first one. Were that libc10's, sentencepiece's start would write over the variables behind it,
# and errors of LibTorch would abort (findings/two_libraries_one_variable.sh). As an option it comes before all libraries.
target_link_options(xkde_torch INTERFACE "-Wl,--allow-shlib-undefined" "-Wl,--no-as-needed"
  "${XKDE_SENTENCEPIECE_LIBRARY}")
target_link_libraries(xkde_torch INTERFACE torch_cpu c10 Threads::Threads)
# Without it at::parallel_for, which is inlined, runs on one thread. libgomp is the wheel's own at run time. Fuzzing,
# whose clang comes without OpenMP, does not compute.
if(NOT XKDE_FUZZ)
  target_compile_options(xkde_torch INTERFACE -fopenmp)
  target_link_options(xkde_torch INTERFACE -fopenmp)
endif()
if(XKDE_CUDA)
  target_link_libraries(xkde_torch INTERFACE torch_cuda c10_cuda)
endif()

# NCCL is compiled in where its header, the CUDA runtime's and both libraries are found.
find_path(XKDE_NCCL_INCLUDE nccl.h
  PATHS "${XKDE_DEPS_DIR}/python/nvidia/nccl/include" /usr/local/cuda/include)
find_path(XKDE_CUDART_INCLUDE cuda_runtime_api.h
  PATHS "${XKDE_DEPS_DIR}/python/nvidia/cu13/include" /usr/local/cuda/include)

if(XKDE_TESTS)
  find_package(GTest REQUIRED)
endif()
