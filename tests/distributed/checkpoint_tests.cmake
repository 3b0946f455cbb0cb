xkde_add_test(shard_layout_test SOURCES shard_layout_test.cpp LINKS xkde_layout LABELS unit)
xkde_add_test(checkpoint_test TORCH
  SOURCES async_checkpointer_test.cpp checkpoint_copies_test.cpp checkpoint_damage_test.cpp checkpoint_support.cpp
    checkpoint_test.cpp direct_file_test.cpp pace_test.cpp
  LINKS xkde_checkpoint LABELS unit TIMEOUT 120)

# A reader that is not ours, where Python has h5py.
find_program(XKDE_PYTHON3 python3)
if(XKDE_PYTHON3)
  execute_process(COMMAND "${XKDE_PYTHON3}" -c "import h5py" RESULT_VARIABLE no_h5py OUTPUT_QUIET
    ERROR_QUIET)
  if(no_h5py EQUAL 0)
    add_test(NAME read_checkpoint_with_h5py COMMAND "${XKDE_PYTHON3}"
      "${CMAKE_SOURCE_DIR}/tests/distributed/read_checkpoint_with_h5py.py"
      $<TARGET_FILE:checkpoint_test>)
    set_tests_properties(read_checkpoint_with_h5py PROPERTIES LABELS unit TIMEOUT 60)
  endif()
endif()
