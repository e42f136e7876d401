/* Apart from everything else, so that tests link the verbs with a main of theirs. */
#include "balancer/tools/tool.h"

int main(int argc, char **argv)
{
    return ek_tool_main(argc, argv);
}
