"""Every equation of the paper: the chapter that derives it, the symbol that computes it, the test that proves it.

`python -m nlcore.ledger` prints the table. A row without a symbol and a test is planned.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One equation, or a few that belong together."""

    chapter: int
    """Notebook in which it is derived."""
    equations: str
    """The paper's numbers, as printed in its long version."""
    statement: str
    symbol: str = ""
    """Dotted name of what computes it."""
    test: str = ""
    """"path::function" of what checks it."""
    anchor: str = ""
    """Heading in the chapter's notebook, once that notebook exists."""

    @property
    def planned(self) -> bool:
        return not (self.symbol and self.test)


_MEMORY = "tests/memory/test_associative.py::"
_RULES = "tests/memory/test_rules.py::"
_PROXIMAL = "tests/memory/test_proximal.py::"
_BACK = "tests/memory/test_backpropagation.py::"
_TITANS = "tests/layers/test_self_modifying.py::"
_DELTA = "tests/ops/test_delta_rule.py::"
_DGD = "tests/optim/test_delta_gradient_descent.py::"
_CONTINUUM = "tests/layers/test_continuum.py::"
_IN_CONTEXT = "tests/models/test_in_context.py::"
_LEVELED = "tests/optim/test_leveled.py::"
_DELTA_MOMENTUM = "tests/optim/test_delta_momentum.py::"
_EXPLORERS = "tests/viz/explorers/"
_FAST = "tests/layers/test_fast_weight.py::"
_ATTENTION = "tests/layers/test_attention.py::"
_LEVELS = "tests/test_levels.py::"
_TRANSFERS = "tests/test_transfers.py::"
_MODELS = "tests/models/test_models.py::"
_REGRESSION = "tests/optim/test_regression.py::"
_SCHULZ = "tests/ops/test_newton_schulz.py::"

LEDGER: tuple[Row, ...] = (
    Row(
        1, "5", "fast-weight programmer, the decayed Hebbian matrix", "nlcore.memory.AssociativeMemory.write",
        _RULES + "test_the_decayed_hebbian_memory_is_linear_attention", "What if we only add?",
    ),
    Row(
        1, "6", "definition 1: a memory minimises an objective over its pairs", "nlcore.memory.ridge",
        "tests/memory/test_closed_form.py::test_gradient_descent_from_zero_converges_to_it",
        "Which matrix is the best one?",
    ),
    Row(
        1, "64-68", "architecture, objective, retention and algorithm make a memory", "nlcore.memory.AssociativeMemory",
        _RULES + "test_a_named_rule_is_a_setting", "What are the four choices?",
    ),
    Row(
        1, "65, erratum", "the delta rule's factor stands right of M; print has it on the left, and no alpha",
        "nlcore.memory.GradientDescent", _RULES + "test_a_named_rule_is_a_setting", "**Erratum, eq. 65.**",
    ),
    Row(
        1, "66-67, erratum", "Oja's rule erases on the side of the value: print lacks a transpose",
        "nlcore.memory.Oja", _RULES + "test_ojas_rule_is_a_step_on_the_objective_printed_below_67",
        "**Erratum, eq. 66-67.**",
    ),
    Row(
        1, "68, erratum", "Omega, with the nabla that print lacks: explicit at M_{t-1}, implicit at the printed M_t",
        "nlcore.memory.Omega", _RULES + "test_omega_is_a_gradient_step_on_the_loss_over_the_last_c_tokens",
        "**Erratum, eq. 68.**",
    ),
    Row(
        2, "1-3", "gradient descent as steepest descent, as proximal step and as FTRL", "nlcore.memory.follow_the_leader",
        _PROXIMAL + "test_steepest_descent_and_follow_the_leader_are_gradient_descent", "Three faces of gradient descent",
    ),
    Row(
        2, "7-8, 29-30", "backpropagation writes local surprise under a layer's input", "nlcore.memory.DeepMLP",
        _BACK + "test_every_layer_writes_what_backpropagation_and_sgd_do", "What does one step write?",
    ),
    Row(
        2, "9, 31", "the step as a problem: a memory with the dot product as its objective", "nlcore.memory.proximal_step",
        _PROXIMAL + "test_the_step_of_definitions_3_and_4_descends_only_with_the_corrected_sign",
        "Which problem does the step solve?",
    ),
    Row(
        2, "54-55, 58", "the value is made by the memory itself; frozen, it is linear attention on gradients",
        "nlcore.viz.explorers.frozen_values.compute",
        _BACK + "test_frozen_values_are_linear_attention_on_gradients_and_another_trajectory",
        "Is it linear attention, then?",
    ),
    Row(
        2, "19-20", "definitions 3 and 4: nested systems, the sign corrected", "nlcore.memory.steepest_step",
        _PROXIMAL + "test_the_step_of_definitions_3_and_4_descends_only_with_the_corrected_sign",
        "A system of such problems",
    ),
    Row(
        2, "98-99", "definitions 6 and 7: the general form, a proximal step on the loss itself",
        "nlcore.memory.proximal_step", _PROXIMAL + "test_the_gradient_step_is_its_linearisation",
        "Why settle for the tangent?",
    ),
    Row(
        3, "10-13, 33-37", "momentum is a memory of gradients",
        "nlcore.optim.Momentum", "tests/optim/test_momentum.py::test_it_is_torch_sgd_over_200_steps",
        "What does momentum hold?",
    ),
    Row(
        3, "4.3, text", "how many gradients a momentum remembers",
        "nlcore.viz.explorers.gradient_weights.newest", _EXPLORERS + "test_gradient_weights.py::test_the_marks_are_counted",
        "How many gradients does it remember?",
    ),
    Row(
        3, "45", "orthogonal tasks: what momentum forgets",
        "nlcore.viz.explorers.orthogonal_tasks.run", _EXPLORERS + "test_orthogonal_tasks.py::test_it_is_the_optimizers",
        "What is lost when tasks are orthogonal?",
    ),
    Row(
        3, "46-47", "values: preconditioned momentum",
        "nlcore.optim.Momentum",
        "tests/optim/test_momentum.py::test_values_are_momentum_on_the_preconditioned_gradient",
        "What if it stores P g?",
    ),
    Row(
        3, "48-49", "Delta Momentum: 49 lacks eta on g^T g, and its sign asks for -P (erratum)",
        "nlcore.optim.delta_momentum.literal", _DELTA_MOMENTUM + "test_literal_is_the_autograd_step_on_the_l2_objective",
        "What if it asks before it writes?",
    ),
    Row(
        3, "48-49, solved", "Delta Momentum's exact proximal step, finite for any gradient",
        "nlcore.optim.delta_momentum.exact", _DELTA_MOMENTUM + "test_exact_solves_the_proximal_problem_at_any_norm",
        "What is the exact step?",
    ),
    Row(
        3, "50", "Deep Momentum: the memory is an MLP, trained as it is used; print asks it for 1, ours for the gradient",
        "nlcore.optim.DeepMomentum", "tests/optim/test_deep_momentum.py::test_a_step_is_autograds_on_the_inner_loss",
        "What if the memory is a network?",
    ),
    Row(
        3, "51", "feature maps on gradients",
        "nlcore.optim.monomials", "tests/optim/test_features.py::test_inner_products_are_powers_of_the_gradients_own",
        "What if the key has more features?",
    ),
    Row(
        3, "52", "non-linear read-out: with Newton-Schulz it is Muon",
        "nlcore.optim.Muon", "tests/optim/test_muon.py::test_it_is_torchs_bit_for_bit",
        "What if the answer is bent?",
    ),
    Row(
        3, "53", "the landscape of figure 4",
        "nlcore.viz.explorers.psi_landscape.walk", _EXPLORERS + "test_psi_landscape.py::test_a_path_is_the_optimizers",
        "Is Delta Momentum faster?",
    ),
    Row(
        4, "38-41", "preconditioners are memories: a step in other coordinates",
        "nlcore.optim.adagrad.over_root",
        "tests/optim/test_adagrad.py::test_a_preconditioned_step_is_plain_descent_in_other_coordinates",
        "## A preconditioner is a memory",
    ),
    Row(
        4, "101-103", "the best element-wise memory of gradients, in closed form",
        "nlcore.optim.regression.elementwise_memory", _REGRESSION + "test_the_closed_form_is_the_minimiser",
        "## The best memory of gradients",
    ),
    Row(
        4, "104-105", "two targets: momentum and Adam",
        "nlcore.optim.Adam",
        _REGRESSION + "test_the_sum_of_squares_as_target_gives_momentum_and_its_root_adam_without_decay",
        "## Two targets: momentum and Adam",
    ),
    Row(
        4, "102, with decay", "the printed sums never forget: targets and weights whose best memory is Adam's step (ours)",
        "nlcore.optim.regression.adam_regression", _REGRESSION + "test_the_best_memory_is_where_adam_steps",
        "## Adam itself, as a regression that forgets",
    ),
    Row(
        4, "106-111", "the outer-product form, AdaGrad with a full matrix",
        "nlcore.optim.FullAdaGrad", "tests/optim/test_adagrad.py::test_the_full_matrix_is_the_plain_loop",
        "## AdaGrad: which gradients come together",
    ),
    Row(
        4, "109, erratum", "beta_1 = 1 sums all gradients; AdaGrad's numerator is the newest alone",
        "nlcore.optim.AdaGrad", "tests/optim/test_adagrad.py::test_beta_one_is_not_adagrad",
        "**Erratum (eq. 109).**",
    ),
    Row(
        4, "42-43", "Newton-Schulz as gradient descent on orthogonality",
        "nlcore.ops.newton_schulz.newton_schulz",
        _SCHULZ + "test_the_gradient_of_43_is_autograds_and_a_step_of_an_eighth_is_the_cubic",
        "## Newton-Schulz: orthogonal by descent",
    ),
    Row(
        4, "44, erratum", "a pull back to g that eq. 43 lacks: iterates do not become orthogonal",
        "nlcore.ops.newton_schulz.printed_newton_schulz", _SCHULZ + "test_as_printed_it_stops_elsewhere",
        "## The term too many in eq. 44",
    ),
    Row(
        4, "42, 52", "Muon: momentum read through Newton-Schulz",
        "nlcore.optim.Muon", "tests/optim/test_muon.py::test_it_is_torchs_bit_for_bit",
        "## Muon",
    ),
    Row(
        4, "75, Alg. 1", "M3, momentum on two time scales, as sums and as running means",
        "nlcore.optim.MultiscaleMomentumMuon", "tests/optim/test_m3.py::test_it_is_algorithm_1",
        "## M3: two time scales",
    ),
    Row(
        4, "75, erratum", "the slow memory's sign",
        "nlcore.optim.m3.Equation75", "tests/optim/test_m3.py::test_with_the_sign_of_75_the_slow_memory_pushes_uphill",
        "## A minus in eq. 75",
    ),
    Row(
        4, "Fig. 11-12", "M3 against AdamW and Muon on a small vision transformer, by loss and by time",
        "nlcore.models.vision_transformer.VisionTransformer",
        "tests/models/test_vision_transformer.py::test_it_is_the_plain_loop",
        "## Does it help?",
    ),
    Row(
        5, "56, 112-113", "Delta Gradient Descent: the proximal step of a squared error, for a batch of any norm",
        "nlcore.optim.delta_step", _DGD + "test_a_step_is_the_proximal_problems_solution_at_any_norm",
        "What if it asks for the value itself?",
    ),
    Row(
        5, "57", "erase, then write; the printed rate is right at a length of 1 only",
        "nlcore.optim.delta_rate", _DGD + "test_for_one_input_it_is_equation_57_with_the_corrected_rate",
        "Erratum: the printed rate",
    ),
    Row(
        5, "114-118", "appendix C loses the sign of u and swaps the proximal weight",
        "nlcore.optim.delta_step", _DGD + "test_the_printed_derivation_ascends_and_swaps_the_weight",
        "Erratum: the sign and the weight in 114",
    ),
    Row(
        5, "119-121", "the square of lambda that 120 loses",
        "nlcore.optim.delta_step", _DGD + "test_lambda_must_be_squared_in_120",
        "Erratum: a square that is lost in 120",
    ),
    Row(
        5, "57, as an optimizer", "Delta Gradient Descent for the linear layers of any model (ours)",
        "nlcore.optim.DeltaGradientDescent",
        _DGD + "test_the_optimizer_is_the_step_on_every_layer_and_gradient_descent_elsewhere",
        "In any model",
    ),
    Row(
        5, "59-60", "Generalised Gradient Descent: any objective and retention, on self-generated values",
        "nlcore.optim.GeneralizedGradientDescent",
        "tests/optim/test_generalized_gradient_descent.py::test_retention_is_the_penalty_as_written",
        "The general form",
    ),
    Row(
        6, "14-18", "linear attention is one gradient step per token, the answer to a proximal problem",
        "nlcore.memory.proximal_step", _RULES + "test_linear_attention_is_a_proximal_step_per_token_and_a_masked_product",
        "Is linear attention learning?",
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
        6, "64, erratum", "the Hebbian family: the stated factor of two is left to the rate, the normaliser left out",
        "nlcore.layers.FastWeight", _FAST + "test_a_hebbian_memory_is_a_masked_matrix_product", "**Erratum, eq. 64.**",
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
    Row(7, "3.3, erratum", "one flow of gradient: print takes the new weights, and not transposed", "nlcore.memory.DeepMLP",
        _TRANSFERS + "test_one_flow_of_gradient_takes_the_old_weights_transposed", "**Erratum, section 3.3, the backward pass.**"),
    Row(7, "28", "knowledge transfer: a start is learnt, through the writes", "nlcore.memory.AssociativeMemory.start",
        _TRANSFERS + "test_a_learnt_start_receives_what_the_writes_have_left_of_it", "**4. A start that is learnt.**"),
    Row(7, "3.3, generation", "knowledge transfer: weights or a context are made", "nlcore.memory.AssociativeMemory.write",
        _TRANSFERS + "test_a_generated_weight_and_a_generated_context_teach_their_generator", "**5. Weights that are made"),
    Row(7, "21, 69", "an MLP is linear attention with one level less; 69's write is transposed (erratum)", "nlcore.memory.AssociativeMemory",
        _TRANSFERS + "test_linear_attention_with_a_learnt_start_is_the_mlp_at_eta_0", "**Erratum, eq. 69.**"),
    Row(7, "3.3, horizon", "the backward graph grows where the writes lie between (ours)", "nlcore.memory.AssociativeMemory.write",
        _TRANSFERS + "test_the_backward_graph_grows_just_where_the_writes_lie_between", "What does a transfer cost?"),
    Row(7, "Def. 3-4", "a training step as a nested system: Hope as the course draws it (ours)", "nlcore.xray.xray.xray",
        "tests/viz/test_hope_map.py::test_it_is_the_xray_of_a_real_hope_but_for_what_goes_on_inside_a_layer", "And Hope?"),
    Row(
        8, "70-71", "a chain of MLPs, each updated on its own period with its gathered error",
        "nlcore.optim.LevelOptimizer",
        _LEVELED + "test_a_slow_level_takes_the_mean_gradient_of_its_period_and_stands_still_between",
    ),
    Row(
        8, "70-72, in tokens", "periods in tokens, nested or not: a level steps on the next-token loss of what was read",
        "nlcore.models.InContext", _IN_CONTEXT + "test_a_batch_is_the_plain_token_loop_one_by_one",
    ),
    Row(
        8, "70, order", "eq. 70 applies level 1 first, 7.1 calls it the slowest: the order is an argument",
        "nlcore.layers.ContinuumMemory", _CONTINUUM + "test_both_readings_of_the_order_run_and_differ",
    ),
    Row(
        8, "72", "nested: each level restarts, at its parent's period, from a start that the parent learns",
        "nlcore.optim.NestedLevelOptimizer", "tests/optim/test_nested.py::test_it_is_the_plain_loop",
    ),
    Row(
        8, "73", "sequential: all starts learnt by the slowest level",
        "nlcore.layers.ContinuumMemory", _CONTINUUM + "test_a_chain_of_levels_fastest_first",
    ),
    Row(
        8, "73, in tokens", "the starts are learnt through the steps that each text takes from them, to second order",
        "nlcore.models.InContext",
        "tests/models/test_in_context_gradients.py::"
        "test_the_second_order_gradient_is_that_of_finite_differences_and_the_first_is_not",
    ),
    Row(
        8, "74", "head-wise: levels side by side, their aggregate a learnt weighted sum",
        "nlcore.layers.HeadwiseContinuumMemory",
        _CONTINUUM + "test_levels_side_by_side_are_a_weighted_sum_of_what_each_adds",
    ),
    Row(
        8, "7.3, text", "levels stacked on the MLP blocks of a model that was trained before",
        "nlcore.models.Stacked", "tests/models/test_stacked.py::test_at_rate_zero_the_logits_are_those_of_the_model",
    ),
    Row(
        9, "76-78", "a memory layer with eta and alpha made from the data",
        "nlcore.memory.GradientDescent", _MEMORY + "test_gradient_descent_is_torch_sgd",
    ),
    Row(
        9, "79-82", "projections that adapt",
        "nlcore.layers.memory_group.MemoryGroup", _TITANS + "test_chunked_layer_equals_the_token_loop",
    ),
    Row(
        9, "83-85", "memories make their own values",
        "nlcore.layers.open_chunk.OpenChunk",
        _MEMORY + "test_a_memory_that_makes_its_own_values_stays_zero_if_it_starts_at_zero",
    ),
    Row(
        9, "86-88", "the update: Delta Gradient Descent with retention, layer by layer",
        "nlcore.memory.DeltaGradientDescent", _MEMORY + "test_delta_gradient_descent_is_equation_88",
    ),
    Row(
        9, "89, 91", "residual 2-layer memories",
        "nlcore.memory.ResidualMLP", _MEMORY + "test_layer_gradients_are_autograds",
    ),
    Row(
        9, "90", "chunkwise: gradients, keys, values and rates at the state the chunk began with",
        "nlcore.layers.SelfModifyingTitans", _TITANS + "test_chunked_layer_equals_the_token_loop",
    ),
    Row(
        9, "82, 83, 94, 90", "the main memory is read after the token, before it, or at the chunk's boundary",
        "nlcore.ops.delta_rule.Inside", _DELTA + "test_a_read_inside_the_chunk_equals_the_loop",
    ),
    Row(
        9, "90, solved", "a chunk in closed form, as matrix products and one triangular solve (ours)",
        "nlcore.ops.delta_rule.delta_rule_chunked", _DELTA + "test_chunked_equals_naive",
    ),
    Row(
        9, "92", "the dot-product objective, its sign corrected",
        "nlcore.memory.DotProduct", _MEMORY + "test_dot_product_converges_to_the_value_only_with_the_corrected_sign",
    ),
    Row(
        9, "93", "the L2 objective: decay acts twice",
        "nlcore.memory.L2", _MEMORY + "test_decay_acts_twice_with_the_l2_objective",
    ),
    Row(9, "Table 6", "ablations: what each part of Hope is worth"),
    Row(
        10, "94-97", "Hope: self-modifying Titans, then continuum memory",
        "nlcore.models.build.hope", _MODELS + "test_no_parameter_without_gradient",
    ),
    Row(10, "Table 4", "MAD: compression, recall, selective copying, memorisation"),
    Row(10, "Table 5", "formal languages, at training lengths and longer"),
    Row(12, "Table 1", "needles in long texts"),
    Row(12, "Table 3", "in-context recall"),
    Row(12, "Fig. 6-9", "continual learning, levels and their frequencies, BABILong"),
    Row(12, "Fig. 10", "perplexity against context used"),
    Row(13, "Table 2", "language modelling and common sense at 760M and 1.3B"),
)  # fmt: skip


def table() -> str:
    """The ledger as text, a line a row."""
    lines = []
    for row in LEDGER:
        state = "planned" if row.planned else f"{row.symbol}  {row.test}"
        lines.append(f"{row.chapter:02d}  {row.equations:16} {row.statement:75} {state}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
