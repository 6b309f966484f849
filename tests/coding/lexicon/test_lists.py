"""Lists of diagnoses, in which neighbours are separate conditions."""

from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


def codes(lexicon: LexiconCoder, text: str) -> set[str]:
    return {assigned.code for assigned in lexicon.code(text).codes}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Diagnoses:\nChronic systolic heart failure\nAcute kidney injury\nPneumonia",
            "I50.22 N17.9 J18.9",
        ),
        ("Systolic heart failure, acute kidney injury", "I50.20 N17.9"),
        ("acute cystitis, systolic heart failure", "N30.00 I50.20"),
        ("chronic respiratory failure, acute bronchitis", "J96.10 J20.9"),
        ("left ear pain and hearing loss", "H92.02 H91.92"),
        # One condition in several items.
        ("Heart failure, acute on chronic systolic", "I50.23"),
        ("cholecystitis, acute", "K81.0"),
        ("COPD, acutely exacerbated", "J44.1"),
        ("cholelithiasis and acute cholecystitis", "K80.00"),
        ("nausea, vomiting, diarrhea", "R11.2 R19.7"),
        ("fever and chills", "R50.9"),
        ("patient with chronic kidney\ndisease stage 3", "N18.30"),
    ],
)
def test_a_phrase_takes_no_words_of_another_item(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PMH: CKD, anemia", "D63.1 N18.9"),
        ("anemia in chronic\nkidney disease", "D63.1 N18.9"),
        ("HTN, ESRD on dialysis, anemia.", "I12.0 N18.6 Z99.2 D63.1"),
        ("PMH:\n- Type 2 DM\n- CKD\n- HTN\n- Anemia", "E11.22 I12.9 N18.9 D63.1"),
        ("PMH: HTN, DM2, CKD, anemia, CHF", "I13.0 E11.22 N18.9 D63.1 I50.9"),
        ("HTN/DM/CKD", "I12.9 E11.22 N18.9"),
        ("Type 2 diabetes with CKD stage 3", "E11.22 N18.30"),
        # A part that is no condition of its own.
        ("Alcoholic cirrhosis with ascites", "K70.31"),
        ("CAD with angina", "I25.119"),
    ],
)
def test_a_combination_keeps_the_conditions_that_are_coded_beside_it(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPD and atrial fibrillation", "J44.9 I48.91"),
        ("AKI and systolic heart failure", "N17.9 I50.20"),
        ("ACS, systolic heart failure", "I24.9 I50.20"),
        ("COPD with acute respiratory failure", "J44.9 J96.00"),
        ("CKD, gastritis", "N18.9 K29.70"),
        ("1) Left hip fracture\n2) Ankle sprain", "S72.002A S93.409A"),
        ("Acute hip pain, left", "M25.552"),
    ],
)
def test_a_course_or_a_side_describes_its_own_condition(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lung cancer stage 4 with CKD", "C34.90 N18.9"),
        ("Lung cancer stage 4\nCKD", "C34.90 N18.9"),
        ("Stage 3 colon cancer, CKD", "C18.9 N18.9"),
        ("Heart failure NYHA class III, CKD", "I50.9 N18.9"),
        ("Pressure injury stage 2, CKD", "L89.92 N18.9"),
        ("CKD 3 on vitamin B complex", "N18.30"),
        ("CKD 3, plan B", "N18.30"),
        ("CKD stage 3, hepatitis A", "N18.30 B15.9"),
        ("CKD stage 3b", "N18.32"),
        ("CKD, now stage 3b", "N18.32"),
        ("Stage 4 chronic kidney disease", "N18.4"),
    ],
)
def test_a_stage_belongs_to_the_condition_before_it(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She no longer takes metformin.", ""),
        ("Type 2 diabetes, insulin dependent.", "E11.9 Z79.4"),
        ("Metformin therapy was discontinued.", ""),
        ("Takes warfarin.", "Z79.01"),
    ],
)
def test_a_therapy_that_has_ended_has_no_code(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTN, glaucoma", "I10 H40.9"),
        ("HFrEF, grade 2 diastolic dysfunction", "I50.20 I51.89"),
        ("Cataract, left eye", "H26.9"),
        ("Secondary glaucoma right eye", "H40.51X0"),
        ("Combined systolic and diastolic CHF", "I50.40"),
        ("Abdominal pain, right lower quadrant", "R10.31"),
        ("Left hip intertrochanteric fracture", "S72.142A"),
        ("HTN, pulmonary HTN, CHF", "I11.0 I27.20 I50.9"),
        ("diabetes, diabetes insipidus", "E11.9 E23.2"),
        ("arthritis, rheumatoid arthritis", "M06.9"),
        ("Bleeding, diverticulosis", "K57.31"),
    ],
)
def test_a_condition_is_not_taken_for_another_one(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("82F s/p fall with right hip fracture", "S72.001A"),
        ("s/p mechanical fall with left wrist fracture", "S62.102A"),
        ("s/p right hip fracture", "Z87.81"),
        ("s/p CABG", "Z95.1"),
        ("Status post kidney transplant.", "Z94.0"),
    ],
)
def test_what_follows_an_event_is_not_past(lexicon: LexiconCoder, text: str, expected: str) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Breast cancer, right hip pain", "C50.919 M25.551"),
        ("sepsis, severe aortic stenosis", "A41.9 I35.0"),
        ("left ear pain and hearing loss", "H92.02 H91.92"),
        ("Breast cancer\nRight hip pain", "C50.919 M25.551"),
        ("Diabetes type 2, neuropathy", "E11.40"),
        ("Pain in the knee, left", "M25.562"),
        ("Osteoarthritis of knees, bilateral", "M17.0"),
        ("Fracture of humerus, left, closed", "S42.302A"),
        ("COPD, acute exacerbation", "J44.1"),
        ("Asthma, severe persistent, with exacerbation", "J45.51"),
        ("Asthma, COPD exacerbation", "J44.1 J45.909"),
        ("Depression, severe, recurrent", "F33.2"),
        ("Depression, severe aortic stenosis", "F32.A I35.0"),
        ("Deep vein thrombosis, left leg", "I82.402"),
        ("cataract, left knee pain", "H26.9 M25.562"),
        ("Pneumonia, aspiration", "J69.0"),
        ("Gastritis, GI bleed", "K29.71"),
        ("Cholelithiasis, acute cholecystitis", "K80.00"),
        ("Pressure ulcer, sacral, stage 3", "L89.153"),
        ("Stroke, left MCA", "I63.512"),
        ("Obesity, morbid", "E66.01"),
        ("Obesity, severe COPD", "E66.9 J44.9"),
        ("Lung cancer, left breast cancer", "C34.90 C50.912"),
        ("Right breast cancer, lung cancer", "C50.911 C34.90"),
    ],
)
def test_a_word_of_a_neighbour_describes_the_neighbour(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chronic bronchitis with acute respiratory failure", "J42 J96.00"),
        ("Low back pain with left sciatica", "M54.42"),
        ("Anemia in chronic kidney disease", "D63.1 N18.9"),
    ],
)
def test_two_phrases_side_by_side_are_not_a_third_one(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Right hip fracture and knee pain", "S72.001A M25.561"),
        ("Right wrist fracture and hip pain", "S62.101A M25.551"),
        ("Right knee pain, shoulder pain", "M25.561 M25.519"),
        ("Left knee pain and back pain", "M25.562 M54.9"),
        ("Right knee OA and hip pain", "M17.11 M25.551"),
        ("Elevated BP without diagnosis of hypertension", "R03.0"),
        ("Bipolar I disorder, current episode manic, severe with psychotic features", "F31.2"),
        ("Closed nondisplaced fracture of right lateral malleolus", "S82.64XA"),
        ("Supracondylar humerus fracture, right", "S42.411A"),
        ("Buckle fracture of right distal radius", "S52.521A"),
        ("acute perforated appendicitis with localized peritonitis", "K35.32"),
        ("PMH CAD COPD CKD DM HTN", "I25.10 J44.9 E11.22 I12.9 N18.9"),
    ],
)
def test_a_site_or_form_is_the_one_that_the_phrase_says(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left 5th metacarpal neck fracture", "S62.337A"),
        ("Boxer's fracture, left", "S62.337A"),
        ("Left 5th metatarsal base fracture.", "S92.352A"),
        ("Intertrochanteric fracture of the left hip.", "S72.142A"),
        ("Midshaft right clavicle fracture.", "S42.021A"),
        ("Distal clavicle fracture left", "S42.032A"),
        ("Smoke inhalation from house fire.", "J70.5"),
        ("Pseudophakia OU.", "Z96.1"),
        ("Epiretinal membrane OD.", "H35.371"),
        ("Anemia. Iron deficiency anemia.", "D50.9"),
        ("Road rash on left forearm", ""),
        ("Brief generalized seizure this morning, first ever.", "R56.9"),
        ("Laceration of left index finger.", "S61.211A"),
        ("Laceration of right calf", "S81.811A"),
        ("Gamekeeper's thumb left", "S63.642A"),
    ],
)
def test_usual_words_of_injuries_and_visits(
    lexicon: LexiconCoder, text: str, expected: str
) -> None:
    assert codes(lexicon, text) == set(expected.split())
