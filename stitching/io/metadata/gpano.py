"""XMP that tells viewers which part of a cylinder or sphere a panorama shows (GPano of Google's Photo Sphere).

Source: https://developers.google.com/streetview/spherical-metadata. "cylindrical" is the value of Facebook and of
phones for upright cylinders; it has no full height, so that is twice what the panorama needs from the horizon on.
"""

import math
import re
from dataclasses import replace

from stitching.geometry.canvas import Canvas
from stitching.geometry.rectangles import Rectangle
from stitching.io.metadata.contents import Metadata

_TYPES = {"cylinder": "cylindrical", "sphere": "equirectangular"}
_NAMESPACE = "http://ns.google.com/photos/1.0/panorama/"
# No pattern tries one byte again and again: a packet may be large and hostile.
_OLD_VALUES = re.compile(rb"\sGPano:\w+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')|<GPano:(\w+)[^<>]*>[^<]*</GPano:\1\s*>")
_END = re.compile(rb"</(\w+):RDF\s*>")
_ABOUT = re.compile(rb":about\s*=\s*(?:\"([^\"<]*)\"|'([^'<\"]*)')")
_PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def panorama_metadata(metadata: Metadata, canvas: Canvas, scale: float, crop: Rectangle) -> Metadata:
    """Metadata of the reference with what viewers need to know about its panorama.

    An upright cylinder and a sphere get the properties of GPano, beside the other properties of the XMP packet. Those
    of the reference itself, where it is a panorama, are dropped: they do not hold for the new one.

    Args:
        metadata: of the reference.
        canvas: that was painted on.
        scale: panorama px per canvas px.
        crop: the panorama's part of the canvas, panorama px.
    """
    packet = _OLD_VALUES.sub(b"", metadata.xmp or b"")
    if canvas.projection in _TYPES:
        packet = _with_properties(packet, _properties(canvas, scale, crop))
    return replace(metadata, xmp=packet or None)


def _properties(canvas: Canvas, scale: float, crop: Rectangle) -> dict[str, str]:
    """Name -> value. The reference's centre is the middle of the full panorama, its row there the horizon."""
    width, height = crop.size
    # Px between the crop's left and top edges and the reference's centre.
    x, y = (
        (centre - origin + 0.5) * scale - first
        for centre, origin, first in zip(canvas.surface.centre, canvas.origin, crop.origin, strict=True)
    )
    full_width = max(width, round((canvas.surface.turn or 0) * scale))
    if canvas.surface.spherical:
        full_height = max(height, full_width // 2)
    else:
        full_height = max(height, 2 * math.ceil(max(y, height - y)))
    numbers = {
        "FullPanoWidthPixels": full_width,
        "FullPanoHeightPixels": full_height,
        "CroppedAreaImageWidthPixels": width,
        "CroppedAreaImageHeightPixels": height,
        "CroppedAreaLeftPixels": min(max(0, round(full_width / 2 - x)), full_width - width),
        "CroppedAreaTopPixels": min(max(0, round(full_height / 2 - y)), full_height - height),
    }
    words = {"UsePanoramaViewer": "True", "ProjectionType": _TYPES[canvas.projection]}
    return words | {name: str(number) for name, number in numbers.items()}


def _with_properties(packet: bytes, properties: dict[str, str]) -> bytes:
    """The packet with one more description; a new one where there is none that can be added to."""
    end = _END.search(packet)
    if end is None:
        packet = _PACKET
        end = _END.search(packet)
    assert end
    rdf = end[1].decode()
    found = _ABOUT.search(packet)
    about = (found[1] or found[2] or b"") if found else b""  # all descriptions have to be about the same
    values = "".join(f' GPano:{name}="{value}"' for name, value in properties.items())
    opening, closing = f'<{rdf}:Description {rdf}:about="'.encode(), f'" xmlns:GPano="{_NAMESPACE}"{values}/>'.encode()
    return packet[: end.start()] + opening + about + closing + packet[end.start() :]
