"""Chapters 06 to 13: sequence layers, levels, Hope, and the paper's results."""

from nlcore.ledger.row import Row

_MEMORY = "tests/memory/test_associative.py::"
_RULES = "tests/memory/test_rules.py::"
_TITANS = "tests/layers/test_self_modifying.py::"
_DELTA = "tests/ops/test_delta_rule.py::"
_CONTINUUM = "tests/layers/test_continuum.py::"
_IN_CONTEXT = "tests/models/test_in_context.py::"
_GRADIENTS = "tests/models/test_in_context_gradients.py::"
_LEVELED = "tests/optim/test_leveled.py::"
_EXPLORERS = "tests/viz/explorers/"
_FAST = "tests/layers/test_fast_weight.py::"
_ATTENTION = "tests/layers/test_attention.py::"
_LEVELS = "tests/test_levels.py::"
_TRANSFERS = "tests/test_transfers.py::"
_MODELS = "tests/models/test_models.py::"

SEQUENCES: tuple[Row, ...] = (
    Row(
        6, "14-18", "linear attention is one gradient step per token, the answer to a proximal problem",
        "nlcore.memory.proximal_step", _RULES + "test_linear_attention_is_a_proximal_step_per_token_and_a_masked_product",
        "Is linear attention learning?",
    ),
    Row(
        6, "16", "a token is answered after its own write; before it, the past alone answers, and is surprised",
        "nlcore.layers.FastWeight", _FAST + "test_a_rule_is_its_published_recurrence",
        "What is read before the write, and what after?",
    ),
    Row(
        6, "61-62", "softmax attention is the non-parametric answer to a weighted least-squares problem",
        "nlcore.layers.Attention", _ATTENTION + "test_an_answer_is_the_minimiser_of_the_kernel_weighted_squared_error",
        "What if nothing is compressed?",
    ),
    Row(
        6, "63, erratum", "sliding window: print weighs each pair by its own query",
        "nlcore.layers.SlidingWindow", _ATTENTION + "test_a_window_is_the_formula_with_a_banded_mask",
        "**Erratum, eq. 63.**",
    ),
    Row(
        6, "64", "the Hebbian family, with decay and without: a masked matrix product",
        "nlcore.layers.FastWeight", _FAST + "test_a_hebbian_memory_is_a_masked_matrix_product",
        "What do the rules of the family erase?",
    ),
    Row(
        6, "64, erratum", "the stated objective has twice the gradient under its brace, and so has 65's",
        "nlcore.memory.DotProduct", _RULES + "test_the_objectives_stated_with_64_and_65_have_twice_the_printed_gradient",
        "**Erratum, eq. 64.**",
    ),
    Row(
        6, "65", "the delta rule, in chunks as token by token",
        "nlcore.ops.delta_rule.delta_rule_chunked", _DELTA + "test_chunked_equals_naive", "Can all tokens be read at once?",
    ),
    Row(
        6, "65-67", "the delta rule family, its error before decay or after it; Oja as its mirror image",
        "nlcore.ops.fast_weight.Chunk", _FAST + "test_a_rule_is_its_published_recurrence",
        "What do the rules of the family erase?",
    ),
    Row(
        6, "68", "Omega over a window, in closed form (ours)",
        "nlcore.ops.fast_weight.Chunk", _FAST + "test_omega_is_a_step_on_the_loss_over_the_window",
        "What do the rules of the family erase?",
    ),
    Row(
        6, "5, text on gating", "a learnt start is a linear layer beside the memory; a gate cannot speak for an empty one",
        "nlcore.layers.FastWeight", _FAST + "test_gate_and_learnt_start_and_neither",
        "What if the memory starts empty?",
    ),
    Row(
        6, "65, transition", "what a write multiplies the state by: 1 counts, -1 flips, in between it fades (ours)",
        "nlcore.viz.explorers.transitions.factor",
        _EXPLORERS + "test_transitions.py::test_it_counts_at_one_alternates_at_minus_one_and_settles_in_between",
        "Can a matrix count?",
    ),
    Row(7, "Def. 2", "update frequency; at equal frequency, who is needed at the instant is faster", "nlcore.levels.order",
        _LEVELS + "test_every_level_is_faster_than_the_next_by_definition_2", "What does Def. 2 count?"),
    Row(7, "Def. 2, control", "inside a level order does not matter: 2 of 24 orders compute AdamW (ours)", "nlcore.levels.order",
        _LEVELS + "test_of_all_orders_only_those_by_level_compute_adamw", "Does the order matter?"),
    Row(7, "24-26", "knowledge transfer: a state is read as it is", "nlcore.memory.AssociativeMemory.read",
        _TRANSFERS + "test_a_state_is_read_as_it_is", "**1. A state, read as it is.**"),
    Row(7, "27", "knowledge transfer: an answer is solved from a context", "nlcore.layers.Attention",
        _TRANSFERS + "test_an_answer_is_solved_from_a_context", "**2. An answer, solved from a context.**"),
    Row(7, "3.3, backpropagation", "knowledge transfer: one flow of gradient updates both", "nlcore.memory.DeepMLP",
        _TRANSFERS + "test_one_flow_of_gradient_takes_the_old_weights_transposed", "**3. One flow of gradient.**"),
    Row(7, "3.3, erratum", "the backward pass: print takes the new weights, and not transposed", "nlcore.memory.DeepMLP",
        _TRANSFERS + "test_one_flow_of_gradient_takes_the_old_weights_transposed", "**Erratum, section 3.3, the backward pass.**"),
    Row(7, "28", "knowledge transfer: a start is learnt, through the writes", "nlcore.memory.AssociativeMemory.start",
        _TRANSFERS + "test_a_learnt_start_receives_what_the_writes_have_left_of_it", "**4. A start that is learnt.**"),
    Row(7, "3.3, generation", "knowledge transfer: weights or a context are made", "nlcore.memory.AssociativeMemory.write",
        _TRANSFERS + "test_a_generated_weight_and_a_generated_context_teach_their_generator", "**5. Weights that are made"),
    Row(7, "21, 69, Fig. 3", "an MLP is linear attention with a learnt start at eta 0, one level less", "nlcore.memory.AssociativeMemory",
        _TRANSFERS + "test_linear_attention_with_a_learnt_start_is_the_mlp_at_eta_0", "What is an MLP with one more level?"),
    Row(7, "69, erratum", "print reads by rows and writes by columns, so that its read is the memory's transpose", "nlcore.memory.AssociativeMemory.read",
        _TRANSFERS + "test_linear_attention_with_a_learnt_start_is_the_mlp_at_eta_0", "**Erratum, eq. 69.**"),
    Row(7, "3.3, horizon", "the backward graph grows where the writes lie between (ours)", "nlcore.memory.AssociativeMemory.write",
        _TRANSFERS + "test_the_backward_graph_grows_just_where_the_writes_lie_between", "What does a transfer cost?"),
    Row(7, "Def. 3-4", "a training step as a nested system: Hope as the course draws it (ours)", "nlcore.xray.xray.xray",
        "tests/viz/test_hope_map.py::test_it_is_the_xray_of_a_real_hope_but_for_what_goes_on_inside_a_layer", "And Hope?"),
    Row(
        8, "70-71", "a chain of MLPs, each updated on its own period with its gathered error",
        "nlcore.optim.LevelOptimizer",
        _LEVELED + "test_a_slow_level_takes_the_mean_gradient_of_its_period_and_stands_still_between",
        "A chain whose links keep different time",
    ),
    Row(
        8, "71, erratum", "print's sum has C + 1 errors, one of them of the period before; a level takes the mean of C",
        "nlcore.optim.LevelOptimizer",
        _LEVELED + "test_a_slow_level_takes_the_mean_gradient_of_its_period_and_stands_still_between", "**Erratum, eq. 71.**",
    ),
    Row(
        8, "71, period 1", "with period 1 on every level, ordinary training, bitwise", "nlcore.optim.LevelOptimizer",
        _LEVELED + "test_period_one_everywhere_is_bitwise_ordinary_training", "Is it still ordinary training?",
    ),
    Row(
        8, "70-72, in tokens", "periods in tokens, nested or not: a level steps on the next-token loss of what was read",
        "nlcore.models.InContext", _IN_CONTEXT + "test_a_batch_is_the_plain_token_loop_one_by_one",
        "What if the steps are tokens?",
    ),
    Row(
        8, "70, order", "eq. 70 applies level 1 first, 7.1 calls it the slowest: the order is an argument",
        "nlcore.layers.ContinuumMemory", _CONTINUUM + "test_both_readings_of_the_order_run_and_differ",
        "Which link reads first?",
    ),
    Row(
        8, "72", "nested: each level restarts, at its parent's period, from a start that the parent learns",
        "nlcore.optim.NestedLevelOptimizer", "tests/optim/test_nested.py::test_it_is_the_plain_loop",
        "Nested: a level that begins again",
    ),
    Row(
        8, "73", "sequential: all starts learnt by the slowest level",
        "nlcore.models.InContext", _GRADIENTS + "test_outer_gradients_are_those_of_an_unrolled_loop",
        "Sequential: a start that training learns",
    ),
    Row(
        8, "73, in tokens", "the starts are learnt through the steps that each text takes from them, to second order",
        "nlcore.models.InContext",
        _GRADIENTS + "test_the_second_order_gradient_is_that_of_finite_differences_and_the_first_is_not",
        "What if the steps are tokens?",
    ),
    Row(
        8, "74", "head-wise: levels side by side, their aggregate a learnt weighted sum",
        "nlcore.layers.HeadwiseContinuumMemory",
        _CONTINUUM + "test_levels_side_by_side_are_a_weighted_sum_of_what_each_adds", "Head-wise: side by side",
    ),
    Row(
        8, "7.1, text", "what a level has forgotten is in the slower one, and comes back at a restart",
        "nlcore.optim.NestedLevelOptimizer",
        "tests/optim/test_nested.py::test_what_a_level_has_forgotten_comes_back_when_it_restarts",
        "Does forgotten knowledge come back?",
    ),
    Row(
        8, "7.1, cost, erratum", "parameters updated per step are those of each level over its period: print has 1 / f for f",
        "nlcore.optim.LevelOptimizer",
        _LEVELED + "test_a_step_updates_of_each_level_its_size_over_its_period_on_average", "What does a token cost?",
    ),
    Row(
        8, "7.3, text", "levels stacked on the MLP blocks of a model that was trained before",
        "nlcore.models.Stacked", "tests/models/test_stacked.py::test_at_rate_zero_the_logits_are_those_of_the_model",
        "Can a model that is finished get levels?",
    ),
    Row(
        9, "76-78", "a memory layer with eta and alpha made from the data",
        "nlcore.memory.GradientDescent", _MEMORY + "test_gradient_descent_is_torch_sgd",
        "### A plain memory",
    ),
    Row(
        9, "79-82", "projections that adapt",
        "nlcore.layers.memory_group.MemoryGroup", _TITANS + "test_chunked_layer_equals_the_token_loop",
        "### Projections that adapt",
    ),
    Row(
        9, "83-85", "memories make their own values",
        "nlcore.layers.open_chunk.OpenChunk",
        _MEMORY + "test_a_memory_that_makes_its_own_values_stays_zero_if_it_starts_at_zero",
        "### Each its own value",
    ),
    Row(
        9, "86-88", "the update: Delta Gradient Descent with retention, layer by layer",
        "nlcore.memory.DeltaGradientDescent", _MEMORY + "test_delta_gradient_descent_is_equation_88",
        "### Delta Gradient Descent",
    ),
    Row(
        9, "89, 91", "residual 2-layer memories",
        "nlcore.memory.ResidualMLP", _MEMORY + "test_layer_gradients_are_autograds",
        "### And if the memory is an MLP?",
    ),
    Row(
        9, "90", "chunkwise: gradients, keys, values and rates at the state the chunk began with",
        "nlcore.layers.SelfModifyingTitans", _TITANS + "test_chunked_layer_equals_the_token_loop",
        "## Who reads which state?",
    ),
    Row(
        9, "82, 83, 94, 90", "the main memory is read after the token, before it, or at the chunk's boundary",
        "nlcore.ops.delta_rule.Inside", _DELTA + "test_a_read_inside_the_chunk_equals_the_loop",
        "the paper gives three answers",
    ),
    Row(
        9, "90, solved", "a chunk in closed form, as matrix products and one triangular solve (ours)",
        "nlcore.ops.delta_rule.delta_rule_chunked", _DELTA + "test_chunked_equals_naive",
        "## Is the fast form the slow one?",
    ),
    Row(
        9, "92", "the dot-product objective, its sign corrected",
        "nlcore.memory.DotProduct", _MEMORY + "test_dot_product_converges_to_the_value_only_with_the_corrected_sign",
        "**Erratum, eq. 92.**",
    ),
    Row(
        9, "93", "the L2 objective: Delta GD erases twice",
        "nlcore.memory.L2", _MEMORY + "test_delta_gd_erases_twice_with_the_l2_objective",
        "## Why does Delta GD erase twice?",
    ),
    Row(
        9, "93, solved", "linear memories that share keys, values and rates share one gain (ours)",
        "nlcore.layers.shared_gain.shared_gain", "tests/layers/test_shared_gain.py::test_one_gain_is_all_memories",
        "### Six memories for the price of one",
    ),
    Row(
        9, "85, erratum", "print lists q among the memories that learn, and says that it is the one that does not",
        "nlcore.layers.SelfModifyingTitans", _TITANS + "test_chunked_layer_equals_the_token_loop", "**Erratum, eq. 85.**",
    ),
    Row(
        9, "90, erratum", "print's index is the end of the token's own chunk; no answer moves with a later token",
        "nlcore.layers.SelfModifyingTitans", _TITANS + "test_causal_and_remembering", "**Erratum, eq. 90.**",
    ),
    Row(
        10, "94-97", "Hope: self-modifying Titans, then continuum memory; forty lines equal the package (ours)",
        "nlcore.models.build.hope", "tests/models/test_forty_lines.py::test_the_forty_lines_are_hope", "Hope in forty lines",
    ),
    Row(
        10, "8.3, Hope-Attention", "attention, then continuum memory: with one link of period 1 it is Transformer++",
        "nlcore.models.build.hope_attention",
        _MODELS + "test_hope_attention_with_one_level_of_period_one_is_transformer_plus_plus", "### Hope-Attention",
    ),
    Row(
        10, "Table 4", "MAD: compression, recall, selective copying, memorisation",
        "nlcore.tasks.mad.settings", "tests/tasks/test_mad.py::test_settings_are_those_of_mads_task_files", "Does it recall, copy, compress?",
    ),
    Row(
        10, "Table 5", "formal languages, at training lengths and longer",
        "nlcore.tasks.formal.Formal", "tests/tasks/test_formal.py::test_every_prefix_has_the_label_of_an_independent_recogniser",
        "Can it count?",
    ),
    Row(
        10, "Table 6", "ablations: every row is built, and equals the token loop",
        "nlcore.layers.SelfModifyingTitans", _TITANS + "test_every_choice_with_every_other_equals_the_token_loop",
        "Which part is worth what?",
    ),
    Row(12, "Table 1", "needles in long texts"),
    Row(12, "Table 3", "in-context recall"),
    Row(12, "Fig. 6-9", "continual learning, levels and their frequencies, BABILong"),
    Row(12, "Fig. 10", "perplexity against context used"),
    Row(13, "Table 2", "language modelling and common sense at 760M and 1.3B"),
)  # fmt: skip
