# Copies what the program is linked to and a cluster node may lack into LIBRARY_FOLDER, and their licences into
# LICENCE_FOLDER. Stays out: LibTorch and what its wheel brings, the C library, and MPI, which belongs to the site.
# Needs PROGRAM (as it was built).
file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES "${PROGRAM}"
  RESOLVED_DEPENDENCIES_VAR libraries
  UNRESOLVED_DEPENDENCIES_VAR missing
  PRE_EXCLUDE_REGEXES
    "^ld-linux" "^lib(c|m|dl|pthread|rt|util|resolv|anl|nsl|mvec)\\.so"
    "^libtorch" "^libc10" "^libgomp" "^libcu(da|pti|blas|dnn|fft|file|rand|solver|sparse)" "^libnv" "^libnccl"
    "^lib(mpi|open-rte|open-pal)")
if(missing)
  message(FATAL_ERROR "${PROGRAM}: expected all its libraries, found none for ${missing}")
endif()
file(MAKE_DIRECTORY "${LIBRARY_FOLDER}" "${LICENCE_FOLDER}")
foreach(library IN LISTS libraries)
  get_filename_component(name "${library}" NAME)
  file(REAL_PATH "${library}" file)
  file(COPY_FILE "${file}" "${LIBRARY_FOLDER}/${name}")
  # A library is known to dpkg under the path that it was installed as.
  set(package "")
  foreach(path IN ITEMS "${file}" "/usr${library}" "${library}")
    if(NOT package)
      execute_process(COMMAND dpkg-query -S "${path}" OUTPUT_VARIABLE package ERROR_QUIET)
    endif()
  endforeach()
  string(REGEX REPLACE "[:,].*" "" package "${package}")
  if(package AND EXISTS "/usr/share/doc/${package}/copyright")
    file(REAL_PATH "/usr/share/doc/${package}/copyright" licence)
    file(COPY_FILE "${licence}" "${LICENCE_FOLDER}/${package}.txt")
  else()
    message(WARNING "${library}: expected a Debian package with its licence, found none")
  endif()
endforeach()
