"""A second device that is none: its tensors lie in the processor's memory and say "elsewhere".

Mixed with the processor's own tensors they raise, as a GPU's do, so that a forgotten
``.to(device)`` or ``.cpu()`` is found where there is no GPU. What a GPU allows is allowed: a number
(a tensor without dimensions) of the processor's in arithmetic, and its indices in ``x[ids]``.

`register` makes the device known to torch; then ``torch.ones(3, device="elsewhere")`` works.
It stands on torch's hooks for devices written in Python, and on tensors that wrap another one.
Left out, with an error: operations that change a tensor's shape in place, and autocast's casts
(under autocast everything stays in single precision).
"""

import functools

import torch
from torch.utils import backend_registration

NAME = "elsewhere"
aten = torch.ops.aten

COPIES = {aten.copy_.default, aten._to_copy.default}
INDEXING = {  # the indices may lie on the processor
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
    aten._unsafe_index_put.default,
}
PACKING = {  # the lengths must lie on the processor, and come back there
    aten._pack_padded_sequence.default,
    aten._pack_padded_sequence_backward.default,
}


class Elsewhere(torch.Tensor):
    """A tensor on the device: a shell without data around ``inner``, a tensor of the processor."""

    @staticmethod
    def __new__(cls, inner):
        shell = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=torch.device(NAME, 0),
        )
        shell.inner = inner
        return shell

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})

    def data_ptr(self):
        """Where the numbers lie: equal for tied tensors, as on any device."""
        return self.inner.data_ptr()

    def tolist(self):
        """The numbers as Python's own, which a GPU copies back as well."""
        return self.inner.tolist()

    @property
    def data(self):
        """The tensor without its history; another of the same shape may be put in its place."""
        return self.detach()

    @data.setter
    def data(self, value):
        if not isinstance(value, Elsewhere):
            raise RuntimeError("incompatible tensor type: expected one on the same device")
        if value.shape != self.shape or value.dtype != self.dtype:
            raise NotImplementedError("this device cannot change a tensor's shape in place")
        self.inner = value.inner

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError("only tensors without a history can be copied deeply")
        copied = Elsewhere(self.inner.detach().clone()).requires_grad_(self.requires_grad)
        return memo.setdefault(id(self), copied)

    def __reduce_ex__(self, protocol):
        arguments = (self.detach().cpu(), self.dtype, str(self.device), self.requires_grad)
        return torch._utils._rebuild_device_tensor_from_cpu_tensor, arguments

    def __repr__(self, **kwargs):
        return f"{self.inner!r} on {self.device}"


class Generator(torch.Generator):
    """Random numbers for one device; ``torch.Generator`` cannot make one for this device."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.of = torch.device(device).type
        return made

    def __init__(self, device="cpu"):
        super().__init__()

    device = property(lambda self: torch.device(self.of))


def compute(operation, args, kwargs):
    """Carry out one of torch's operations on what is inside of its arguments, and wrap it again."""
    ours, theirs = [], []
    inner_args, inner_kwargs = (_map(_looking(ours, theirs), part) for part in (args, kwargs))
    device = kwargs.get("device")
    stays = device is None or torch.device(device).type == NAME
    _check_places(operation, args, ours, theirs)
    _check_generator(kwargs.get("generator"))
    if device is not None and stays:
        inner_kwargs["device"] = torch.device("cpu")
    inner_kwargs.pop("pin_memory", None)
    found = OWN.get(operation, operation)(*inner_args, **inner_kwargs)
    if operation._schema.is_mutable and any(t.inner.shape != t.shape for t in ours):
        raise NotImplementedError(f"{operation} changes a shape in place: not on this device")
    if operation is aten.copy_.default:
        return args[0]
    if operation in PACKING and isinstance(found, tuple):
        return Elsewhere(found[0]), found[1]  # the sizes of the batches are for the processor
    if not stays or operation is aten._local_scalar_dense.default:
        return found
    shells = {id(t.inner): t for t in ours}
    return _map(lambda t: shells[id(t)] if id(t) in shells else Elsewhere(t), found)


def _looking(ours, theirs):
    def inner(tensor):
        if isinstance(tensor, Elsewhere):
            ours.append(tensor)
            return tensor.inner
        theirs.append(tensor)
        return tensor

    return inner


def _map(change, value):
    """``value`` with every tensor in its lists, tuples and dicts changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_map(change, one) for one in value)
    if isinstance(value, dict):
        return {name: _map(change, one) for name, one in value.items()}
    return value


def _check_places(operation, args, ours, theirs):
    """Raise RuntimeError where a GPU would: its tensors and the processor's are mixed."""
    if operation in PACKING:
        if isinstance(args[-2], Elsewhere) or isinstance(args[1], Elsewhere):
            raise RuntimeError(
                f"'lengths' argument should be a 1D CPU int64 tensor, but got {NAME}:0"
            )
        return
    if not ours or operation in COPIES:
        return
    if operation in INDEXING and isinstance(args[0], Elsewhere):
        theirs = [t for t in args[2:3] if not isinstance(t, Elsewhere) and t.ndim]
    elif torch.Tag.pointwise in operation.tags:
        theirs = [tensor for tensor in theirs if tensor.ndim]
    if theirs:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{NAME}:0 and cpu, in {operation}"
        )


def _check_generator(generator):
    if generator is not None and getattr(generator, "of", "cpu") != NAME:
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")


def _lstm_cell(from_input, from_hidden, cell, input_bias=None, hidden_bias=None):
    """One step of an LSTM, (batch, 4 hidden) each; GPUs have one kernel for it."""
    total = from_input + from_hidden
    if input_bias is not None:
        total = total + input_bias + hidden_bias
    enter, forget, new, leave = total.chunk(4, 1)
    enter, forget, new, leave = enter.sigmoid(), forget.sigmoid(), new.tanh(), leave.sigmoid()
    after = forget * cell + enter * new
    return leave * after.tanh(), after, torch.cat((enter, forget, new, leave), 1)


def _lstm_cell_backward(grad_hidden, grad_cell, before, after, gates, has_bias):
    enter, forget, new, leave = gates.chunk(4, 1)
    grad_hidden = torch.zeros_like(after) if grad_hidden is None else grad_hidden
    grad = grad_hidden * leave * (1 - after.tanh() ** 2)
    grad = grad if grad_cell is None else grad + grad_cell
    parts = (
        grad * new * enter * (1 - enter),
        grad * before * forget * (1 - forget),
        grad * enter * (1 - new**2),
        grad_hidden * after.tanh() * leave * (1 - leave),
    )
    total = torch.cat(parts, 1)
    return total, grad * forget, total.sum(0) if has_bias else None


OWN = {
    aten._thnn_fused_lstm_cell.default: _lstm_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: _lstm_cell_backward,
    aten._fused_sdp_choice.default: lambda *_, **__: 0,  # attention by its formula
}


def _factories():
    """The operations that make a tensor from none, such as ``empty`` and ``randperm``."""
    for name in torch._C._dispatch_get_all_op_names():
        packet, _, overload = name.removeprefix("aten::").partition(".")
        if not name.startswith("aten::") or not hasattr(aten, packet):
            continue
        operation = getattr(getattr(aten, packet), overload or "default")
        arguments = {argument.name: str(argument.type) for argument in operation._schema.arguments}
        if "device" in arguments and "Tensor" not in str(list(arguments.values())):
            explicit = ("CompositeExplicitAutograd", "CPU")
            if any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in explicit):
                yield name, operation


def _keep_identity(apply):
    """`Module._apply` in the way that keeps each parameter the same object, as on a GPU."""

    @functools.wraps(apply)
    def swapping(self, *args, **kwargs):
        before = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            return apply(self, *args, **kwargs)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(before)

    return swapping


LIBRARY = torch.library.Library("aten", "IMPL")  # lives as long as the process


def register():
    """Make the device known to torch, once a process."""
    if hasattr(torch, NAME):
        return
    module = backend_registration._DummyBackendModule()
    module.get_amp_supported_dtype = lambda: [torch.bfloat16]
    backend_registration._setup_privateuseone_for_python_backend(NAME, module)
    for name, operation in _factories():
        make = functools.partial(_make, operation)
        LIBRARY.impl(name, make, "PrivateUse1")
    LIBRARY.impl("_copy_from", _copy_from, "PrivateUse1")
    torch.Generator = Generator
    torch.nn.Module._apply = _keep_identity(torch.nn.Module._apply)


def _make(operation, *args, **kwargs):
    return compute(operation, args, {"device": NAME, **kwargs})


def _copy_from(source, target, non_blocking=False):
    """`torch.tensor` on a device copies so, below the level at which its type is looked at."""
    (target.inner if isinstance(target, Elsewhere) else target).copy_(
        source.inner if isinstance(source, Elsewhere) else source
    )
    return target
