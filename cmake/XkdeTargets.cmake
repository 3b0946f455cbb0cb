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

function(xkde_configure target)
  cmake_parse_arguments(arg "TORCH" "" "" ${ARGN})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${XKDE_WARNINGS})
  if(arg_TORCH)
    target_include_directories(${target} SYSTEM PRIVATE "${CMAKE_BINARY_DIR}/third_party")
    target_link_libraries(${target} PUBLIC xkde_torch)
    if(XKDE_PCH)
      if(NOT TARGET xkde_torch_pch)
        # One header is compiled once and reused by every library and test that includes ATen.
        file(WRITE "${CMAKE_BINARY_DIR}/xkde_torch_pch.cpp" "// owner of the shared precompiled header\n")
        add_library(xkde_torch_pch OBJECT "${CMAKE_BINARY_DIR}/xkde_torch_pch.cpp")
        target_include_directories(xkde_torch_pch SYSTEM PRIVATE "${CMAKE_BINARY_DIR}/third_party")
        target_link_libraries(xkde_torch_pch PUBLIC xkde_torch)
        target_compile_options(xkde_torch_pch PRIVATE ${XKDE_WARNINGS})
        target_precompile_headers(xkde_torch_pch PRIVATE <ATen/ATen.h> <string> <vector> <memory> <sstream>)
      endif()
      target_precompile_headers(${target} REUSE_FROM xkde_torch_pch)
    endif()
  endif()
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
    xkde_configure(${name} TORCH)
  else()
    xkde_configure(${name})
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
