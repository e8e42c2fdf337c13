"""What certificates, keys and bundles must be, and what is said where they are not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import GivenFile
from apigateway.config.pem import check_authorities, check_identity
from apigateway.config.problems import ConfigurationError, Problems, Where
from apigateway.testing.certificates import Authority


def file(content: bytes | None, name: str = "x.pem") -> GivenFile:
    return GivenFile(name, content, Where("g", 1, name))


class PemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()
        self.issued = self.authority.server("orders")
        self.problems = Problems()

    def said(self) -> list[str]:
        try:
            self.problems.raise_any()
        except ConfigurationError as error:
            return [problem.message for problem in error.problems]
        return []

    def test_what_is_good_or_is_not_given_is_no_problem(self) -> None:
        check_authorities(file(self.authority.pem + Authority("Two").pem), self.problems)
        check_identity(file(self.issued.pem), file(self.issued.key_pem()), self.problems)
        check_identity(file(self.issued.pem + self.issued.key_pem()), None, self.problems)
        check_authorities(None, self.problems)
        check_identity(None, None, self.problems)
        self.assertEqual(self.said(), [])

    def test_what_could_not_be_read_is_not_told_twice(self) -> None:
        check_authorities(file(None), self.problems)
        check_identity(file(None), None, self.problems)
        check_identity(file(self.issued.pem), file(None), self.problems)
        self.assertEqual(self.said(), [])

    def test_a_bundle_without_certificates_or_with_a_broken_one(self) -> None:
        check_authorities(file(self.issued.key_pem(), "ca.pem"), self.problems)
        check_authorities(
            file(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "b.pem"), self.problems
        )
        self.assertEqual(
            self.said(), ["ca.pem holds no certificate in PEM", "b.pem holds something that is no certificate"]
        )

    def test_a_certificate_without_a_key_or_with_another_ones(self) -> None:
        pem = file(self.issued.pem, "a.pem")
        check_identity(pem, None, self.problems)
        check_identity(pem, file(b"nothing", "a.key"), self.problems)
        check_identity(pem, file(self.authority.server("b").key_pem(), "b.key"), self.problems)
        check_identity(file(b"", "c.pem"), file(self.issued.key_pem()), self.problems)
        self.assertEqual(
            self.said(),
            [
                "a.pem holds no private key in PEM",
                "a.key holds no private key in PEM",
                "the key in b.key is not that of the certificate in a.pem",
                "c.pem holds no certificate in PEM",
            ],
        )

    def test_a_key_with_a_password_and_one_that_is_broken(self) -> None:
        pem = file(self.issued.pem, "a.pem")
        check_identity(pem, file(self.issued.key_pem("secret"), "a.key"), self.problems)
        broken = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
        check_identity(pem, file(broken, "b.key"), self.problems)
        said = self.said()
        self.assertIn("the key in a.key is protected by a password", said[0])
        self.assertIn("can't be used", said[1])
