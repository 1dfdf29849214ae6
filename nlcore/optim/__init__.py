"""Optimizers: the outer levels of a nested system."""

from nlcore.optim.adagrad import AdaGrad, FullAdaGrad
from nlcore.optim.adam import Adam, AMSGrad, Lion, NAdam, RAdam, RMSProp
from nlcore.optim.combined import Combined
from nlcore.optim.deep_momentum import DeepMomentum
from nlcore.optim.delta_gradient_descent import DeltaGradientDescent, delta_rate, delta_step, settle
from nlcore.optim.delta_momentum import DeltaMomentum
from nlcore.optim.features import SignedPower, monomials
from nlcore.optim.generalized_gradient_descent import GeneralizedGradientDescent, StayNear, StayNearAndSmall
from nlcore.optim.layer_inputs import LayerInputs
from nlcore.optim.leveled import LevelOptimizer, LevelReport
from nlcore.optim.m3 import MultiscaleMomentumMuon
from nlcore.optim.momentum import Momentum
from nlcore.optim.muon import Muon
from nlcore.optim.nested import NestedLevelOptimizer

__all__ = [
    "AMSGrad",
    "AdaGrad",
    "Adam",
    "Combined",
    "DeepMomentum",
    "DeltaGradientDescent",
    "DeltaMomentum",
    "FullAdaGrad",
    "GeneralizedGradientDescent",
    "LayerInputs",
    "LevelOptimizer",
    "LevelReport",
    "Lion",
    "Momentum",
    "MultiscaleMomentumMuon",
    "Muon",
    "NAdam",
    "NestedLevelOptimizer",
    "RAdam",
    "RMSProp",
    "SignedPower",
    "StayNear",
    "StayNearAndSmall",
    "delta_rate",
    "delta_step",
    "monomials",
    "settle",
]
