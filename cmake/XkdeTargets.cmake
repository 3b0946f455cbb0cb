# xkde_add_library(NAME SOURCES ... LINKS ... [TORCH]): one static library of our own code.
# TORCH: the library includes ATen and gets the shared precompiled header.
# xkde_add_test(NAME SOURCES ... LINKS ... LABELS unit|ranks|gpu|slow [RANKS 1 2 4] [TIMEOUT s] [TORCH]):
# one GoogleTest program; with RANKS it is run under mpirun once for each size.
# -fPIC everywhere: programs and libraries share one precompiled header. -fno-math-errno: loops with sqrt are
# vectorised only where it need not set errno.
set(XKDE_WARNINGS -fPIC -fno-math-errno -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor)
if(XKDE_WERROR)
  list(APPEND XKDE_WARNINGS -Werror)
endif()
# clang 14 with libstdc++ 12 lacks std::source_location.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
  list(APPEND XKDE_WARNINGS -include "${CMAKE_SOURCE_DIR}/tests/fuzz/source_location_for_clang14.h")
endif()

# What each kind of target gets as one precompiled header. Headers that many of its files include, and no others.
set(XKDE_PCH_plain <algorithm> <filesystem> <functional> <map> <memory> <optional> <set> <span> <sstream> <string>
  <utility> <vector> <fmt/format.h> <nlohmann/json.hpp>)
set(XKDE_PCH_torch <ATen/ATen.h> ${XKDE_PCH_plain})
set(XKDE_PCH_test <fstream> <gmock/gmock.h> <gtest/gtest.h>)

# xkde_configure(TARGET [TORCH] [TEST]): flags, include folders and the precompiled header of a target of ours. The
# code of tests runs once, so less time goes into making it fast.
function(xkde_configure target)
  cmake_parse_arguments(arg "TORCH;TEST" "" "" ${ARGN})
  set(kind plain)
  set(options ${XKDE_WARNINGS})
  if(arg_TORCH)
    set(kind torch)
    target_include_directories(${target} SYSTEM PRIVATE "${CMAKE_BINARY_DIR}/third_party")
    target_link_libraries(${target} PUBLIC xkde_torch)
  endif()
  set(headers ${XKDE_PCH_${kind}})
  set(owner xkde_${kind}_pch)
  if(arg_TEST)
    list(APPEND options $<$<CONFIG:Release>:-O1>)
    if(XKDE_JOIN_FILES AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # g++ 12 calls `std::string(80, x) + y` out of bounds where much is inlined.
      list(APPEND options -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
    endif()
    list(APPEND headers ${XKDE_PCH_test})
    set(owner xkde_${kind}_test_pch)
  endif()
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${options})
  if(NOT XKDE_PCH)
    return()
  endif()
  if(NOT TARGET ${owner})
    # One target compiles the header for all of its kind.
    file(WRITE "${CMAKE_BINARY_DIR}/${owner}.cpp" "// owner of a shared precompiled header\n")
    add_library(${owner} OBJECT "${CMAKE_BINARY_DIR}/${owner}.cpp")
    target_compile_options(${owner} PRIVATE ${options})
    target_link_libraries(${owner} PUBLIC fmt::fmt)
    if(arg_TEST)
      target_link_libraries(${owner} PUBLIC GTest::gtest GTest::gmock)
    endif()
    if(arg_TORCH)
      target_include_directories(${owner} SYSTEM PRIVATE "${CMAKE_BINARY_DIR}/third_party")
      target_link_libraries(${owner} PUBLIC xkde_torch)
    endif()
    target_precompile_headers(${owner} PRIVATE ${headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

function(xkde_add_library name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINKS})
  if(arg_TORCH)
    xkde_configure(${name} TORCH)
  else()
    xkde_configure(${name})
  endif()
endfunction()

function(xkde_add_test name)
  cmake_parse_arguments(arg "TORCH;OWN_MAIN" "TIMEOUT" "SOURCES;LINKS;LABELS;RANKS" ${ARGN})
  if(NOT arg_TIMEOUT)
    # For what hangs: a busy machine may take twenty times as long as an idle one.
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gmock)
  if(NOT arg_OWN_MAIN)
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  if(arg_TORCH)
    xkde_configure(${name} TEST TORCH)
  else()
    xkde_configure(${name} TEST)
  endif()
  target_compile_definitions(${name} PRIVATE
    XKDE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" XKDE_DEPS_DIR="${XKDE_DEPS_DIR}")
  if(arg_RANKS)
    foreach(ranks IN LISTS arg_RANKS)
      add_test(NAME ${name}_np${ranks} COMMAND
        mpirun --allow-run-as-root --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${name}>)
      set_tests_properties(${name}_np${ranks} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
        PROCESSORS 2 ENVIRONMENT "OMP_NUM_THREADS=1")
    endforeach()
  else()
    add_test(NAME ${name} COMMAND ${name})
    # One thread each: ranks as threads, and ctest's parallel tests, would fight for the cores.
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
      ENVIRONMENT "OMP_NUM_THREADS=1")
  endif()
endfunction()
