"""Small official files, written by hand in the formats of the CDC and CMS."""

TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular>
  <version>2031</version>
  <chapter>
    <name>19</name>
    <desc>Injury, poisoning (S00-T88)</desc>
    <excludes1><note>birth trauma (P10-P15)</note></excludes1>
    <sectionIndex><sectionRef first="S70" last="S79" id="S70-S79">x</sectionRef></sectionIndex>
    <section id="S70-S79">
      <desc>Injuries to the hip and thigh (S70-S79)</desc>
      <diag>
        <name>S72</name>
        <desc>Fracture of femur</desc>
        <excludes2><note>fracture of foot (S92.-)</note></excludes2>
        <sevenChrNote><note>The 7th character is to be added</note></sevenChrNote>
        <sevenChrDef>
          <extension char="A">initial encounter for closed fracture</extension>
          <note>initial encounter for fracture NOS</note>
          <extension char="S">sequela</extension>
        </sevenChrDef>
        <diag>
          <name>S72.0</name>
          <desc>Fracture of head and neck of femur</desc>
          <inclusionTerm><note>Fractured neck</note><note>Hip fracture NOS</note></inclusionTerm>
          <diag><name>S72.00</name><desc>Fracture of neck of femur</desc></diag>
          <diag>
            <name>S72.001</name><desc>Fracture of neck of right femur</desc>
            <codeFirst><note>underlying condition</note></codeFirst>
          </diag>
        </diag>
      </diag>
    </section>
    <section id="T07">
      <desc>Injuries of multiple regions (T07)</desc>
      <diag><name>T07</name><desc>Unspecified multiple injuries</desc></diag>
    </section>
  </chapter>
</ICD10CM.tabular>
"""

_CLOSED = "initial encounter for closed fracture/initial encounter for fracture NOS"
_ORDER_ROWS = (
    ("S72", 0, "Fracture of femur", ""),
    ("S720", 0, "Fracture of head and neck of femur", ""),
    ("S7200", 0, "Fracture of neck of femur", ""),
    ("S7200XA", 1, "Fracture of neck of femur, init", f"Fracture of neck of femur, {_CLOSED}"),
    ("S72001", 0, "Fracture of neck of right femur", ""),
    ("S72001A", 1, "Fx neck of right femur, init", f"Fracture of neck of right femur, {_CLOSED}"),
    ("S72001S", 1, "Fx neck of right femur, sequela", "Fracture of neck of right femur, sequela"),
    ("T07", 1, "Unspecified multiple injuries", ""),
)
ORDER = "".join(
    f"{number:05} {code:<7} {flag} {short:<60} {title or short}\n"
    for number, (code, flag, short, title) in enumerate(_ORDER_ROWS, start=1)
)

ICD9_TITLES = """\
0010 Cholera due to vibrio cholerae
38600 M\u00e9ni\u00e8re's disease, unspecified
4280  Congestive heart failure, unspecified
42821 Acute systolic heart failure
V1582 Personal history of tobacco use
E8000 Railway accident involving collision with rolling stock, injuring railway employee
"""

TABLE = """\
code,description,synonyms,parent,billable,release
10,Heart operations,,,0,2031
10.1,Bypass,CABG | heart bypass,10,1,2031
10.2,"Valve, replaced",,10,1,2031
"""
