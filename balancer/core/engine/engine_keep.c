/* Copies out of the engine and back, for whoever stores them. */
#include "balancer/core/engine/engine_keep.h"

#include "balancer/core/engine/engine_parts.h"

#include <stdio.h>
#include <string.h>

static bool keep_begun(const struct ek_engine *engine, struct ek_kept *out)
{
    const char **items = ek_arena_alloc(&out->arena, engine->begun_count, sizeof(*items));
    bool ok = items != NULL;

    for (size_t i = 0; ok && i < engine->begun_count; i++) {
        items[i] = ek_arena_strdup(&out->arena, engine->begun[i]);
        ok = items[i] != NULL;
    }
    out->begun = (struct ek_strings){items, engine->begun_count, true};
    return ok;
}

bool ek_engine_keep(const struct ek_engine *engine, struct ek_kept *out, struct ek_error *err)
{
    const struct ek_circuit *circuit = ek_cooldown_circuit(engine->cooldown);

    memset(out, 0, sizeof(*out));
    out->pause = engine->pause;
    out->rest_count = ek_cooldown_export(engine->cooldown, NULL, 0);
    out->circuit_count = ek_circuit_export(circuit, NULL, 0);
    out->rests = ek_arena_alloc(&out->arena, out->rest_count, sizeof(*out->rests));
    out->circuits = ek_arena_alloc(&out->arena, out->circuit_count, sizeof(*out->circuits));
    if (out->rests == NULL || out->circuits == NULL || !keep_begun(engine, out)) {
        ek_kept_finish(out);
        return ek_error_set(err, EK_ERR_NOMEM, "out of memory for what the engine keeps");
    }
    (void)ek_cooldown_export(engine->cooldown, out->rests, out->rest_count);
    (void)ek_circuit_export(circuit, out->circuits, out->circuit_count);
    return true;
}

/* Cut rather than left out: the first ones are enough to go and look. */
void ek_engine_show_circuits(struct ek_engine *engine, struct ek_arena *scratch)
{
    const struct ek_circuit *circuit = ek_cooldown_circuit(engine->cooldown);
    size_t count = ek_circuit_export(circuit, NULL, 0);
    struct ek_circuit_entry *entries = ek_arena_alloc(scratch, count, sizeof(*entries));
    size_t used = 0;

    engine->circuits_view[0] = '\0';
    if (entries == NULL || count == 0) {
        return;
    }
    (void)ek_circuit_export(circuit, entries, count);
    for (size_t i = 0; i < count && used < sizeof(engine->circuits_view); i++) {
        const char *text =
            entries[i].trips > 0 ? ek_circuit_text(&entries[i], engine->now_ms, scratch) : NULL;
        int more = text == NULL ? 0
                                : snprintf(engine->circuits_view + used,
                                           sizeof(engine->circuits_view) - used, "%s%s",
                                           used == 0 ? "" : "; ", text);
        used += more > 0 ? (size_t)more : 0;
    }
}

void ek_kept_finish(struct ek_kept *kept)
{
    ek_arena_finish(&kept->arena);
    memset(kept, 0, sizeof(*kept));
}

bool ek_kept_apply(const struct ek_kept *kept, struct ek_cooldown *cooldown, struct ek_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < kept->rest_count; i++) {
        ok = ek_cooldown_import(cooldown, &kept->rests[i], err);
    }
    for (size_t i = 0; ok && i < kept->circuit_count; i++) {
        ok = ek_circuit_import(ek_cooldown_circuit(cooldown), &kept->circuits[i], err);
    }
    return ok;
}

bool ek_engine_take_up(struct ek_engine *engine, const struct ek_kept *kept, struct ek_error *err)
{
    engine->pause = kept->pause;
    for (size_t i = 0; i < kept->begun.count; i++) {
        if (!ek_engine_begin_host(engine, kept->begun.items[i], err)) {
            return false;
        }
    }
    return ek_kept_apply(kept, engine->cooldown, err);
}

void ek_engine_take_up_nothing(struct ek_engine *engine, const char *why)
{
    engine->pause.all = true;
    (void)snprintf(engine->pause.why, sizeof(engine->pause.why),
                   "what was paused before is not known: %s", why);
}
