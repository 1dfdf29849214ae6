"""Chapters 01 to 05: memories, and optimizers as memories."""

from nlcore.ledger.row import Row

_RULES = "tests/memory/test_rules.py::"
_PROXIMAL = "tests/memory/test_proximal.py::"
_BACK = "tests/memory/test_backpropagation.py::"
_DGD = "tests/optim/test_delta_gradient_descent.py::"
_DELTA_MOMENTUM = "tests/optim/test_delta_momentum.py::"
_EXPLORERS = "tests/viz/explorers/"
_REGRESSION = "tests/optim/test_regression.py::"
_SCHULZ = "tests/ops/test_newton_schulz.py::"

LEARNING: tuple[Row, ...] = (
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
        "nlcore.memory.GradientDescent", _RULES + "test_a_named_rule_is_a_setting", "**[Erratum](glossary.md#erratum), eq. 65.**",
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
        "**[Erratum](glossary.md#erratum) (eq. 109).**",
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
        "## One term too many in eq. 44",
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
        "**1, the rate.**",
    ),
    Row(
        5, "114-118", "appendix C loses the sign of u and swaps the proximal weight",
        "nlcore.optim.delta_step", _DGD + "test_the_printed_derivation_ascends_and_swaps_the_weight",
        "**2, the sign, and 3, the weight.**",
    ),
    Row(
        5, "119-121", "the square of lambda that 120 loses",
        "nlcore.optim.delta_step", _DGD + "test_lambda_must_be_squared_in_120",
        "**4, a square.**",
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
)  # fmt: skip
