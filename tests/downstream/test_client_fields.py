"""What services are told of a client's certificate."""

from __future__ import annotations

import re
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.client_fields import client_fields, has_ended, subject_of
from apigateway.downstream.tls_terms import ClientTerms
from apigateway.testing.certificates import Authority

AUTHORITY = Authority()


class FieldsTests(SynchronousTestCase):
    def test_the_subject_and_the_fingerprint_by_the_names_that_are_wanted(self) -> None:
        der = AUTHORITY.client("alice").der
        both = ClientTerms(b"", subject_field=b"X-Subject", fingerprint_field=b"X-Print")
        expected = [(b"X-Subject", b"CN=alice"), (b"X-Print", sha256(der).hexdigest().encode())]
        self.assertEqual(client_fields(both, der), expected)
        self.assertEqual(client_fields(ClientTerms(b"", subject_field=b"X-Subject"), der), expected[:1])
        self.assertEqual(client_fields(ClientTerms(b""), der), [])

    def test_nothing_where_there_is_no_certificate_or_nobody_asked_for_one(self) -> None:
        self.assertEqual(client_fields(ClientTerms(b"", subject_field=b"X-Subject"), None), [])
        self.assertEqual(client_fields(None, AUTHORITY.client("alice").der), [])

    @settings(deadline=None, max_examples=40)
    @given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
    def test_whatever_an_authority_has_signed_is_one_line_of_ascii(self, name: str) -> None:
        try:
            der = AUTHORITY.client(name).der
        except ValueError:
            return  # it can't be in a certificate
        self.assertTrue(re.fullmatch(rb"CN=[\x20-\x7e]+", subject_of(der)), subject_of(der))

    def test_a_line_break_in_a_name_is_escaped(self) -> None:
        der = AUTHORITY.client("alice\r\nX-Admin: yes").der
        self.assertEqual(subject_of(der), rb"CN=alice\0D\0AX-Admin: yes")

    def test_no_two_names_look_the_same(self) -> None:
        subjects = {subject_of(AUTHORITY.client(name).der) for name in ("a,CN=b", "a\\,CN=b", "a\r", "a\\0D", "é", "e")}
        self.assertEqual(len(subjects), 6)


class EndTests(SynchronousTestCase):
    def test_a_certificate_ends_and_none_does_not(self) -> None:
        issued = AUTHORITY.client("alice")
        end = issued.certificate.not_valid_after_utc.timestamp()
        self.assertEqual([has_ended(issued.der, wall) for wall in (end - 1, end, end + 1)], [False, False, True])
        self.assertFalse(has_ended(None, end + 1))
