# cmake -D FOLDER=... -D OUT=... -P embed.cmake: the folder's files as arrays in a C file.
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")

set(arrays "")
set(rows "")
file(GLOB files ${FOLDER}/*)
list(SORT files)
foreach(file ${files})
    get_filename_component(name ${file} NAME)
    get_filename_component(ending ${file} LAST_EXT)
    string(SUBSTRING ${ending} 1 -1 ending)
    if(NOT DEFINED types_${ending})
        message(FATAL_ERROR "${file}: found the ending ${ending}, expected one of embed.cmake")
    endif()
    string(MAKE_C_IDENTIFIER ${name} array)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
    string(APPEND arrays "static const unsigned char ${array}[] = {\n${bytes}};\n")
    set(path /${name})
    if(name STREQUAL "index.html")
        set(path /)
    endif()
    string(APPEND rows "    {\"${path}\", \"${types_${ending}}\", ${array}, sizeof(${array})},\n")
endforeach()
file(WRITE ${OUT} "/* Made by embed.cmake. */
#include \"balancer/http/internal.h\"

${arrays}
const struct ek_http_file ek_http_files[] = {
${rows}    {NULL, NULL, NULL, 0},
};
")
