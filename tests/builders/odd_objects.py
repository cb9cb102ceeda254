"""Corpus cases of each kind of object: volumes of several files or frames, cines, and the objects
that are listed beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RealWorldValueMappingStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    UltrasoundMultiFrameImageStorage,
    VLWholeSlideMicroscopyImageStorage,
    XRayAngiographicImageStorage,
)

from tests.builders.encoded_pixels import KINDS, pattern, put_pixels
from tests.builders.odd_corpus import (
    FRAME_OF_REFERENCE,
    STUDY,
    OddCase,
    data_set,
    place,
    series_case,
    uid_of,
)

SLICES = 4
REFERENCED = "kind-ct"


def object_cases() -> Iterator[OddCase]:
    """Every kind of object."""
    yield _ct()
    yield from (_mr_echoes(), _mr_diffusion(), _pet())
    yield from (_enhanced_ct("explicit"), _enhanced_ct("jpegls"), _enhanced_mr(), _enhanced_pet())
    yield from (_ultrasound(), _angiography(), *_projections(), *_nuclear(), _slide())
    yield from _listed()


def _grid(name: str, sop_class: str, modality: str, count: int = SLICES) -> list[Dataset]:
    images = []
    for index in range(count):
        image = data_set(name, sop_class, modality, index)
        place(image, index)
        images.append(image)
    return images


def _cells(kind: str, count: int) -> list[np.ndarray]:
    return [pattern(KINDS[kind], seed=index) for index in range(count)]


def _ct() -> OddCase:
    images, cells = _grid(REFERENCED, CTImageStorage, "CT"), _cells("signed16", SLICES)
    for image, frame in zip(images, cells, strict=True):
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = "1", "0", "HU"
        put_pixels(image, [frame], "explicit", KINDS["signed16"])
    return series_case(REFERENCED, images, volumes=(np.stack(cells),))


def _repeated(
    name: str, values: tuple[float, ...], mark: Callable[[Dataset, float], None]
) -> OddCase:
    """An MR whose places come once for each value."""
    images, volumes = [], []
    for number, value in enumerate(values):
        cells = [pattern(KINDS["grey12"], seed=10 * number + k) for k in range(SLICES)]
        for index, frame in enumerate(cells):
            image = data_set(name, MRImageStorage, "MR", SLICES * number + index)
            place(image, index)
            mark(image, value)
            put_pixels(image, [frame], "explicit", KINDS["grey12"])
            images.append(image)
        volumes.append(np.stack(cells))
    return series_case(name, images, volumes=tuple(volumes))


def _mr_echoes() -> OddCase:
    def mark(image: Dataset, value: float) -> None:
        image.EchoTime, image.EchoNumbers = str(value), int(value // 10)

    return _repeated("kind-mr-echoes", (10.0, 20.0), mark)


def _mr_diffusion() -> OddCase:
    def mark(image: Dataset, value: float) -> None:
        image.DiffusionBValue = value

    return _repeated("kind-mr-diffusion", (0.0, 400.0, 800.0), mark)


def _pet() -> OddCase:
    """BQML with a slope for each slice; SUVbw = Bq/ml x weight in g / dose at series time.

    Decay-corrected to the start: half-life 6588 s and one half-life since injection, so that
    370 MBq are 185 MBq then (QIBA, vendor-neutral pseudo-code of SUV body weight).
    """
    name = "kind-pet"
    images, volumes = _grid(name, PositronEmissionTomographyImageStorage, "PT"), []
    for index, image in enumerate(images):
        cells = pattern(KINDS["signed16"], seed=index)
        slope = 0.5 + index
        dose = Dataset()
        dose.RadiopharmaceuticalStartTime, dose.RadionuclideTotalDose = "100000", "370000000"
        dose.RadionuclideHalfLife = "6588"
        image.RadiopharmaceuticalInformationSequence = Sequence([dose])
        image.Units, image.DecayCorrection, image.CorrectedImage = "BQML", "START", ["ATTN", "DECY"]
        image.SeriesDate = image.AcquisitionDate = "20240131"
        image.SeriesTime = image.AcquisitionTime = "114948"
        image.PatientWeight = "74"
        image.RescaleSlope, image.RescaleIntercept = str(slope), "0"
        image.SeriesType = ["STATIC", "IMAGE"]
        put_pixels(image, [cells], "explicit", KINDS["signed16"])
        volumes.append(cells * slope * 74_000 / 185e6)
    return series_case(name, images, volumes=(np.stack(volumes),), tolerance=0.05)


def _functional_groups(image: Dataset, count: int, frame_type_keyword: str) -> None:
    """Places of frames as functional groups, in reversed order (PS3.3 C.7.6.16)."""
    sample, shared = Dataset(), Dataset()
    place(sample, 0)
    measures, orientation, frame_type = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = sample.PixelSpacing, "77"
    orientation.ImageOrientationPatient = sample.ImageOrientationPatient
    frame_type.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    if frame_type_keyword:
        setattr(shared, frame_type_keyword, Sequence([frame_type]))
    frames = []
    for index in range(count):
        place(sample, count - 1 - index)
        position, content, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = sample.ImagePositionPatient
        content.StackID, content.InStackPositionNumber = "1", count - index
        content.TemporalPositionIndex = 1
        group.PlanePositionSequence = Sequence([position])
        group.FrameContentSequence = Sequence([content])
        frames.append(group)
    image.FrameOfReferenceUID = FRAME_OF_REFERENCE
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    image.PerFrameFunctionalGroupsSequence = Sequence(frames)


def _transform(group: Dataset, slope: float, intercept: float) -> None:
    values = Dataset()
    values.RescaleSlope, values.RescaleIntercept = str(slope), str(intercept)
    values.RescaleType = "HU"
    group.PixelValueTransformationSequence = Sequence([values])


def _enhanced_ct(syntax: str) -> OddCase:
    """Frames against the order of their places, each with an intercept of its own."""
    name = f"kind-enhanced-ct-{syntax}"
    image, cells = data_set(name, EnhancedCTImageStorage, "CT"), _cells("grey12", SLICES)
    _functional_groups(image, SLICES, "CTImageFrameTypeSequence")
    for index, group in enumerate(image.PerFrameFunctionalGroupsSequence):
        _transform(group, 1, -1000 + index)
    put_pixels(image, cells, syntax, KINDS["grey12"])
    volume = np.stack([frame.astype(int) - 1000 + k for k, frame in enumerate(cells)])[::-1]
    return series_case(name, [image], volumes=(volume,))


def _enhanced_mr() -> OddCase:
    """Two echoes in one file."""
    name = "kind-enhanced-mr"
    image, cells = data_set(name, EnhancedMRImageStorage, "MR"), _cells("grey12", 2 * SLICES)
    _functional_groups(image, SLICES, "MRImageFrameTypeSequence")
    groups = []
    for number, echo_ms in enumerate((10.0, 20.0)):
        for place_group in image.PerFrameFunctionalGroupsSequence:
            group, echo = Dataset(), Dataset()
            group.update(place_group)
            echo.EffectiveEchoTime = echo_ms
            group.MREchoSequence = Sequence([echo])
            group.FrameContentSequence = Sequence([Dataset()])
            group.FrameContentSequence[0].update(place_group.FrameContentSequence[0])
            group.FrameContentSequence[0].DimensionIndexValues = [
                number + 1,
                len(groups) % SLICES + 1,
            ]
            groups.append(group)
    image.PerFrameFunctionalGroupsSequence = Sequence(groups)
    put_pixels(image, cells, "j2k", KINDS["grey12"])
    first, second = np.stack(cells[:SLICES])[::-1], np.stack(cells[SLICES:])[::-1]
    return series_case(name, [image], volumes=(first, second))


def _enhanced_pet() -> OddCase:
    name = "kind-enhanced-pet"
    image, cells = data_set(name, EnhancedPETImageStorage, "PT"), _cells("grey16", SLICES)
    _functional_groups(image, SLICES, "PETFrameTypeSequence")
    _transform(image.SharedFunctionalGroupsSequence[0], 1, 0)
    put_pixels(image, cells, "rle", KINDS["grey16"])
    return series_case(name, [image], volumes=(np.stack(cells)[::-1],))


def _cine(name: str, sop_class: str, modality: str, kind: str, syntax: str) -> OddCase:
    image, cells = data_set(name, sop_class, modality), _cells(kind, 5)
    image.FrameTime, image.FrameIncrementPointer = "33.3", 0x00181063
    put_pixels(image, cells, syntax, KINDS[kind])
    return series_case(name, [image], volumes=(np.stack(cells),))


def _ultrasound() -> OddCase:
    return _cine("kind-us-cine", UltrasoundMultiFrameImageStorage, "US", "rgb", "rle")


def _angiography() -> OddCase:
    return _cine("kind-xa-cine", XRayAngiographicImageStorage, "XA", "grey12", "lossless70")


def _projections() -> Iterator[OddCase]:
    """CR and MG as they come: 2-D, without a place, with a spacing at the detector."""
    for modality, sop_class, kind in (
        ("CR", ComputedRadiographyImageStorage, "inverted8"),
        ("MG", DigitalMammographyXRayImageStorageForPresentation, "grey12"),
    ):
        name = f"kind-{modality.lower()}"
        image, cells = data_set(name, sop_class, modality), pattern(KINDS[kind])
        image.ImagerPixelSpacing = ["0.2", "0.1"]
        put_pixels(image, [cells], "lossless70", KINDS[kind])
        yield series_case(name, [image], volumes=(cells[None],))


def _nuclear() -> Iterator[OddCase]:
    """A reconstructed tomography, whose frames have places, and a static image with two."""
    name = "kind-nm-tomo"
    image, cells = data_set(name, NuclearMedicineImageStorage, "NM"), _cells("grey16", SLICES)
    image.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    sample, detector = Dataset(), Dataset()
    place(sample, 0)
    image.FrameOfReferenceUID, image.PixelSpacing = FRAME_OF_REFERENCE, sample.PixelSpacing
    detector.ImagePositionPatient = sample.ImagePositionPatient
    detector.ImageOrientationPatient = sample.ImageOrientationPatient
    image.DetectorInformationSequence = Sequence([detector])
    image.FrameIncrementPointer = 0x00540080
    image.SliceVector, image.NumberOfSlices = list(range(1, SLICES + 1)), SLICES
    image.SpacingBetweenSlices, image.SliceThickness = "2.5", "2.5"
    put_pixels(image, cells, "explicit", KINDS["grey16"])
    yield series_case(name, [image], volumes=(np.stack(cells),))
    name = "kind-nm-static"
    image, cells = data_set(name, NuclearMedicineImageStorage, "NM"), _cells("grey16", 2)
    image.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    image.FrameIncrementPointer = [0x00540010, 0x00540020]
    image.EnergyWindowVector, image.DetectorVector = [1, 1], [1, 2]
    image.PixelSpacing = ["2.0", "3.0"]
    put_pixels(image, cells, "explicit", KINDS["grey16"])
    yield series_case(name, [image], volumes=(np.stack(cells),))


def _slide() -> OddCase:
    """A whole slide of two by two tiles (TILED_FULL), of which the second column is cut."""
    name = "kind-slide"
    image, tiles = data_set(name, VLWholeSlideMicroscopyImageStorage, "SM"), _cells("rgb", 4)
    image.ImageType = ["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"]
    image.TotalPixelMatrixRows, image.TotalPixelMatrixColumns = 48, 70
    image.DimensionOrganizationType = "TILED_FULL"
    image.TotalPixelMatrixFocalPlanes = image.NumberOfOpticalPaths = 1
    put_pixels(image, tiles, "explicit", KINDS["rgb"])
    upper, lower = np.hstack(tiles[:2]), np.hstack(tiles[2:])
    return series_case(name, [image], volumes=(np.vstack([upper, lower])[None, :, :70],))


def _reference() -> Dataset:
    """One referenced image of the CT of the corpus."""
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = f"{uid_of(REFERENCED)}.1"
    return item


def _referenced_series() -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid_of(REFERENCED)
    series.ReferencedInstanceSequence = Sequence([_reference()])
    series.ReferencedSOPSequence = Sequence([_reference()])
    series.ReferencedImageSequence = Sequence([_reference()])
    return series


def _evidence() -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = STUDY
    study.ReferencedSeriesSequence = Sequence([_referenced_series()])
    return study


def _segmentation(image: Dataset) -> None:
    image.ReferencedSeriesSequence = Sequence([_referenced_series()])
    image.SegmentationType, image.ContentLabel = "BINARY", "TUMOUR"
    _functional_groups(image, 2, "")
    image.Rows, image.Columns, image.SamplesPerPixel, image.NumberOfFrames = 24, 40, 1, 2
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 1, 1, 0, 0
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = b"\x55" * (24 * 40 * 2 // 8)


def _structures(image: Dataset) -> None:
    image.StructureSetLabel = "CONTOURS"
    frame, study = Dataset(), Dataset()
    frame.FrameOfReferenceUID = FRAME_OF_REFERENCE
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", STUDY
    series = Dataset()
    series.SeriesInstanceUID = uid_of(REFERENCED)
    series.ContourImageSequence = Sequence([_reference()])
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.RTReferencedStudySequence = Sequence([study])
    image.ReferencedFrameOfReferenceSequence = Sequence([frame])


def _document(image: Dataset) -> None:
    image.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence()])
    image.ValueType = "CONTAINER"


def _presentation(image: Dataset) -> None:
    image.ContentLabel = "GSPS"
    image.ReferencedSeriesSequence = Sequence([_referenced_series()])


def _real_world(image: Dataset) -> None:
    image.ContentLabel = "SUV"
    mapping = Dataset()
    mapping.ReferencedImageSequence = Sequence([_reference()])
    image.ReferencedImageRealWorldValueMappingSequence = Sequence([mapping])
    image.ReferencedSeriesSequence = Sequence([_referenced_series()])


_LISTED: dict[str, tuple[str, str, Callable[[Dataset], None]]] = {
    "SEG": (SegmentationStorage, "Segmentation", _segmentation),
    "RTSTRUCT": (RTStructureSetStorage, "RT Structure Set", _structures),
    "SR": ("1.2.840.10008.5.1.4.1.1.88.33", "Structured Report", _document),
    "KO": (KeyObjectSelectionDocumentStorage, "Key Object Selection", _document),
    "PR": (GrayscaleSoftcopyPresentationStateStorage, "Presentation State", _presentation),
    "RWV": (RealWorldValueMappingStorage, "Real World Value Mapping", _real_world),
}


def _listed() -> Iterator[OddCase]:
    """What refers to the CT of the corpus."""
    for modality, (sop_class, title, fill) in _LISTED.items():
        name = f"object-{modality}"
        image = data_set(name, sop_class, modality)
        image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        fill(image)
        yield series_case(name, [image], object_class=title)
