# One resource, of the provider that terraform has built in.
resource "terraform_data" "one" {
  input = "one"
}
